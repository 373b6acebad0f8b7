// Runs SQL on the stack's remote database, through the same driver and with the same conversions as the service:
// bigint as a number while it is exact, times as PostgreSQL writes them.
import pg from 'pg';
import { refuse } from './errors.mjs';

const { builtins } = pg.types;
const parsers = new Map([[builtins.INT8, (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text)]]);
for (const name of ['DATE', 'INTERVAL', 'TIMESTAMP', 'TIMESTAMPTZ']) parsers.set(builtins[name], (text) => text);
const types = { getTypeParser: (oid, format) => parsers.get(oid) ?? pg.types.getTypeParser(oid, format) };

export async function runSql(database, text, { parameters, readOnly = false }) {
  const options = readOnly ? '-c default_transaction_read_only=on' : undefined;
  const client = new pg.Client({ host: database.host, port: database.port, user: 'postgres', database: 'postgres', types, options });
  try {
    await client.connect();
    const result = await client.query(text, parameters);
    return (Array.isArray(result) ? result.at(-1) : result).rows ?? [];
  } catch (error) {
    if (error.severity === undefined) return refuse(500, 'Failed to run sql query: Connection terminated unexpectedly');
    return refuse(400, `Failed to run sql query: ${error.severity}:  ${error.code}: ${error.message}`);
  } finally {
    await client.end().catch(() => {});
  }
}
