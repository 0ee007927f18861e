/** Schemas of admin bodies and queries. Closed: an unknown member is a 400, never ignored. */
import { z } from 'zod';

/** US dollars as a decimal string, at most nine places: "5.00". */
export const usdAmount = z.string().regex(/^-?\d{1,9}(\.\d{1,9})?$/, 'is not an amount like "5.00"');
const positiveUsd = usdAmount.refine((amount) => Number(amount) > 0, 'must be more than 0');

const name = z.string().trim().min(1).max(200);
const id = z.string().min(1).max(64);

export const newAccount = z.strictObject({
  name,
  /** null = no cap. */
  credits: usdAmount
    .refine((amount) => !amount.startsWith('-'), 'must not be negative')
    .nullable()
    .default(null),
  /** Soft caps admit by estimate and book the excess. */
  soft: z.boolean().default(false),
});

export const newCredit = z.strictObject({
  /** Negative takes credit back, never below what is spent or held. */
  amount: usdAmount.refine((amount) => Number(amount) !== 0, 'must not be 0'),
  note: z.string().max(500).default(''),
  /** Sent again with the same id nothing happens. */
  id: z.string().min(1).max(128).optional(),
});

export const newKey = z.strictObject({
  account_id: id.default('default'),
  name: name.default('API key'),
  budget: z
    .union([
      positiveUsd,
      z.strictObject({
        amount: positiveUsd,
        period: z.enum(['total', 'day', 'week', 'month']).default('total'),
      }),
    ])
    .nullish(),
  /** Requests a minute. */
  rpm: z.int().min(1).max(10_000_000).nullish(),
  /** Tokens a minute. */
  tpm: z.int().min(1).max(10_000_000_000).nullish(),
  /** `provider/model` or `provider/*`. */
  allowed_models: z.array(z.string().min(1).max(256)).max(500).nullish(),
  expires_at: z.iso.datetime({ offset: true }).nullish(),
});

const day = z.iso.date('is not a date of the form YYYY-MM-DD');
export const keysQuery = z.strictObject({ account_id: id.optional() });
export const usageQuery = z.strictObject({
  account_id: id.optional(),
  start_date: day.optional(),
  end_date: day.optional(),
});
export const requestsQuery = z.strictObject({
  account_id: id.optional(),
  id: id.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  /** Unix milliseconds: only requests settled before. */
  before: z.coerce.number().int().min(1).optional(),
  /** With `before`, the last id seen: requests settled in the same millisecond are not skipped. */
  before_id: id.optional(),
});

export type NewKeyBody = z.infer<typeof newKey>;
export type NewAccountBody = z.infer<typeof newAccount>;
export type NewCreditBody = z.infer<typeof newCredit>;
