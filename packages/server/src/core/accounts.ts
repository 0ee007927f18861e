/** Accounts and API keys: made, credited, listed, revoked, rotated; each change leaves an audit entry. */
import { randomBytes } from 'node:crypto';
import type { NewAccountBody, NewCreditBody, NewKeyBody } from '../contract/admin.ts';
import { badField, GatewayError } from '../contract/errors.ts';
import { parseUsd } from '../contract/money.ts';
import type { Account, ApiKey, CreditOperation, CreditResult, NewKey, Storage } from '../storage/storage.ts';
import { generateApiKey } from './api-key.ts';

/** The account of the first run, and of keys made without naming one. */
export const defaultAccountId = 'default';
const firstKeyId = 'key_default';

/** What an account can be granted in all, so that sums stay far inside 64 bits: eight billion dollars. */
const maxGrantedNano = 8_000_000_000n * 1_000_000_000n;

/** A key with the secret that is shown once. */
export interface IssuedKey {
  readonly key: ApiKey;
  readonly apiKey: string;
}

export interface Credited {
  readonly account: Account;
  /** The id under which it was booked; sent again nothing happens. */
  readonly id: string;
  readonly status: 'booked' | 'already';
}

/** `actor` names who asked, for the audit. Missing things throw `not_found`, refused changes `conflict`. */
export interface Accounts {
  createAccount(body: NewAccountBody, actor: string): Promise<Account>;
  listAccounts(): Promise<Account[]>;
  credit(accountId: string, body: NewCreditBody, actor: string): Promise<Credited>;
  createKey(body: NewKeyBody, actor: string): Promise<IssuedKey>;
  /** null = of all accounts. */
  listKeys(accountId: string | null): Promise<ApiKey[]>;
  /** Revoking a revoked key changes nothing. */
  revokeKey(id: string, actor: string): Promise<ApiKey>;
  rotateKey(id: string, actor: string): Promise<IssuedKey>;
  /** Makes the account `default`, without a cap, unless it is there. */
  ensureDefault(): Promise<void>;
  /**
   * Makes the account `default` and its first key. null when they are there; of several replicas that
   * start at once exactly one gets the key.
   */
  firstRun(): Promise<IssuedKey | null>;
}

export type AccountStorage = Pick<
  Storage,
  | 'createAccount'
  | 'listAccounts'
  | 'findAccount'
  | 'createKey'
  | 'findCredential'
  | 'listKeys'
  | 'revokeKey'
  | 'rotateKey'
  | 'audit'
>;

/** Books a credit durably: the ledger's `run`, or a store's `commit` where no ledger runs. */
export type CommitCredit = (operation: CreditOperation) => Promise<CreditResult>;

const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString('hex')}`;

const noAccount = (id: string, param?: string): GatewayError =>
  new GatewayError('not_found', `There is no account '${id}'.`, { param });

const noKey = (id: string): GatewayError =>
  new GatewayError('not_found', `There is no API key with the id '${id}'.`);

export function createAccounts(storage: AccountStorage, commit: CommitCredit): Accounts {
  const account = async (id: string, param?: string): Promise<Account> => {
    const found = await storage.findAccount(id);
    if (found === null) throw noAccount(id, param);
    return found;
  };
  const audit = (actor: string, action: string, target: string, detail: object = {}): Promise<void> =>
    storage.audit({ actor, action, target, detail: JSON.stringify(detail) });

  const credit: Accounts['credit'] = async (accountId, body, actor) => {
    const before = await account(accountId);
    const amountNano = parseUsd(body.amount);
    if (before.balance.grantedNano + amountNano > maxGrantedNano) {
      throw badField(
        'amount',
        "Invalid value for 'amount': the account would be granted more than can be counted",
      );
    }
    const id = body.id ?? newId('credit');
    const note = body.note;
    const { status } = await commit({ op: 'credit', id, accountId, amountNano, kind: 'credit', note });
    if (status === 'missing') throw noAccount(accountId);
    if (status === 'refused') {
      throw new GatewayError('conflict', 'The account has spent or holds more than what would be left.', {
        param: 'amount',
      });
    }
    if (status === 'booked')
      await audit(actor, 'account.credit', accountId, { amount: body.amount, note, id });
    return { account: await account(accountId), id, status };
  };

  const ensureDefault = async (): Promise<void> => {
    await ensure(
      () => storage.createAccount({ id: defaultAccountId, name: 'default', soft: false, capped: false }),
      () => storage.findAccount(defaultAccountId),
    );
  };

  return {
    listAccounts: () => storage.listAccounts(),
    credit,
    async createAccount({ name, credits, soft }, actor) {
      const id = newId('acct');
      await storage.createAccount({ id, name, soft, capped: credits !== null });
      await audit(actor, 'account.create', id, { name, credits, soft });
      if (credits === null || parseUsd(credits, 'credits') === 0n) return account(id);
      return (await credit(id, { amount: credits, note: 'opening credit', id: `opening:${id}` }, actor))
        .account;
    },
    ...keyMethods(storage, account, audit),
    ensureDefault,
    async firstRun() {
      await ensureDefault();
      if ((await storage.listKeys(defaultAccountId)).length > 0) return null;
      const secret = generateApiKey();
      const made = await ensure(
        () =>
          storage.createKey({ ...unlimitedKey, id: firstKeyId, hash: secret.hash, prefix: secret.prefix }),
        () => storage.findCredential({ keyId: firstKeyId }),
      );
      if (!made) return null;
      await audit('first run', 'key.create', firstKeyId, { account_id: defaultAccountId });
      const credential = await storage.findCredential({ keyId: firstKeyId });
      return credential === null ? null : { key: credential.key, apiKey: secret.secret };
    },
  };
}

const unlimitedKey: Omit<NewKey, 'id' | 'hash' | 'prefix'> = {
  accountId: defaultAccountId,
  name: 'default',
  rpm: null,
  tpm: null,
  allowedModels: null,
  expiresAtMs: null,
  budget: null,
};

/** Creates what is not there. False when it was, or when another replica was quicker. */
async function ensure(create: () => Promise<void>, find: () => Promise<unknown>): Promise<boolean> {
  if ((await find()) !== null) return false;
  try {
    await create();
    return true;
  } catch (error) {
    if ((await find()) !== null) return false;
    throw error;
  }
}

function keyMethods(
  storage: AccountStorage,
  account: (id: string, param?: string) => Promise<Account>,
  audit: (actor: string, action: string, target: string, detail?: object) => Promise<void>,
): Pick<Accounts, 'createKey' | 'listKeys' | 'revokeKey' | 'rotateKey'> {
  const find = async (id: string): Promise<ApiKey> => {
    const credential = await storage.findCredential({ keyId: id });
    if (credential === null) throw noKey(id);
    return credential.key;
  };
  return {
    async createKey(body, actor) {
      await account(body.account_id, 'account_id');
      const id = newId('key');
      const secret = generateApiKey();
      await storage.createKey({ ...keyFacts(body), id, hash: secret.hash, prefix: secret.prefix });
      await audit(actor, 'key.create', id, { account_id: body.account_id, name: body.name });
      return { key: await find(id), apiKey: secret.secret };
    },
    async listKeys(accountId) {
      if (accountId !== null) await account(accountId, 'account_id');
      return storage.listKeys(accountId);
    },
    async revokeKey(id, actor) {
      const revoked = await storage.revokeKey(id);
      const key = await find(id);
      if (revoked) await audit(actor, 'key.revoke', id);
      return key;
    },
    async rotateKey(id, actor) {
      const secret = generateApiKey();
      const rotated = await storage.rotateKey(id, { hash: secret.hash, prefix: secret.prefix });
      const key = await find(id);
      if (!rotated) throw new GatewayError('conflict', 'This API key has been revoked: create a new one.');
      await audit(actor, 'key.rotate', id);
      return { key, apiKey: secret.secret };
    },
  };
}

function keyFacts(body: NewKeyBody): Omit<NewKey, 'id' | 'hash' | 'prefix'> {
  const expiresAtMs = body.expires_at == null ? null : Date.parse(body.expires_at);
  if (expiresAtMs !== null && expiresAtMs <= Date.now()) {
    throw badField('expires_at', "Invalid value for 'expires_at': must be in the future");
  }
  const budget =
    typeof body.budget === 'string' ? { amount: body.budget, period: 'total' as const } : body.budget;
  return {
    accountId: body.account_id,
    name: body.name,
    rpm: body.rpm ?? null,
    tpm: body.tpm ?? null,
    allowedModels: body.allowed_models ?? null,
    expiresAtMs,
    budget: budget == null ? null : { amountNano: parseUsd(budget.amount, 'budget'), period: budget.period },
  };
}
