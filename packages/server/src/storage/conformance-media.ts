/** The meaning of MediaRows: found until it has expired, expired in order, removed without complaint. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, type Place } from './conformance-fixtures.ts';
import type { MediaRow } from './media-records.ts';
import type { Storage } from './storage.ts';

const hourMs = 3_600_000;

export function mediaConformance(create: () => Promise<Place>): void {
  let place: Place;
  let storage: Storage;
  beforeAll(async () => {
    place = await create();
    storage = await place.open();
  });
  afterAll(async () => {
    await storage?.close();
    await place?.remove();
  });

  type New = Omit<MediaRow, 'createdAtMs'>;
  const rowOf = (more: Partial<New> = {}): New => ({
    id: newId(),
    accountId: newId(),
    kind: 'audio',
    contentType: 'audio/mpeg',
    fileName: 'audio.mp3',
    bytes: 1_000,
    sha256: 'ab'.repeat(32),
    expiresAtMs: Date.now() + hourMs,
    ...more,
  });
  const added = async (more: Partial<New> = {}): Promise<New> => {
    const row = rowOf(more);
    await storage.media.add(row);
    return row;
  };

  describe('media', () => {
    it('is found as it was added, with the time of the store', async () => {
      const before = Date.now();
      for (const kind of ['image', 'audio', 'video'] as const) {
        // More than 32 bits, and characters of every width.
        const row = await added({
          kind,
          bytes: 2 ** 40 + 1,
          contentType: 'x/y; a="é🦊\'"',
          fileName: 'ü.mp4',
        });
        const found = await storage.media.find(row.id);
        expect(found).toEqual({ ...row, createdAtMs: expect.any(Number) });
        expect(found?.createdAtMs).toBeGreaterThan(before - 5_000);
        expect(found?.createdAtMs).toBeLessThan(Date.now() + 5_000);
      }
    });

    it('is not found once it has expired, though its row is still there', async () => {
      const gone = await added({ expiresAtMs: Date.now() - 5_000 });
      expect(await storage.media.find(gone.id)).toBeNull();
      expect(await storage.media.known([gone.id])).toEqual(new Set([gone.id]));
      expect(await storage.media.find('nothing')).toBeNull();
    });

    it('has fractions of a millisecond rounded, not lost', async () => {
      const expiresAtMs = Date.now() + hourMs + 0.4;
      const row = await added({ expiresAtMs });
      expect((await storage.media.find(row.id))?.expiresAtMs).toBe(Math.round(expiresAtMs));
    });

    it('cannot be added twice', async () => {
      const row = await added();
      await expect(storage.media.add({ ...row, bytes: 7 })).rejects.toThrow();
      expect((await storage.media.find(row.id))?.bytes).toBe(row.bytes);
    });

    it('expires oldest first, as many as are asked for, each until it is removed', async () => {
      for (const id of await storage.media.expired(1_000)) await storage.media.remove(id);
      const now = Date.now();
      const rows = [
        await added({ expiresAtMs: now - 10_000 }),
        await added({ expiresAtMs: now - 30_000 }),
        await added({ expiresAtMs: now - 20_000 }),
      ];
      await added({ expiresAtMs: now + hourMs });
      const [third, first, second] = rows.map(({ id }) => id);
      expect(await storage.media.expired(2)).toEqual([first, second]);
      expect(await storage.media.expired(10)).toEqual([first, second, third]);
      await storage.media.remove(first ?? '');
      expect(await storage.media.expired(10)).toEqual([second, third]);
    });

    it('tells which of many ids have a row', async () => {
      const [one, two] = [await added(), await added()];
      const strangers = Array.from({ length: 498 }, () => newId());
      expect(await storage.media.known([...strangers, one.id, two.id])).toEqual(new Set([one.id, two.id]));
      expect(await storage.media.known([])).toEqual(new Set());
      await storage.media.remove(one.id);
      await storage.media.remove(one.id);
      expect(await storage.media.known([one.id, two.id])).toEqual(new Set([two.id]));
    });

    it('is there after the store was closed and opened again', async () => {
      const row = await added();
      await storage.close();
      storage = await place.open();
      expect((await storage.media.find(row.id))?.sha256).toBe(row.sha256);
    });
  });
}
