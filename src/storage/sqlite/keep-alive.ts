import Sqlite, { type Database, type Statement } from 'better-sqlite3';

/**
 * On Node 24 the process can end when an object of better-sqlite3 12 is garbage-collected: its wrapper takes back a
 * cleanup hook, which asserts an environment that a collection need not have. So none is ever let go: connections are
 * kept, and one statement for each SQL text, of which there are some dozens. To be imported before the first connection.
 */
const kept = new Map<Database, Map<string, Statement>>();

const { prepare, exec, close } = Sqlite.prototype;

function statementsOf(database: Database): Map<string, Statement> {
  let statements = kept.get(database);
  if (statements === undefined) {
    statements = new Map();
    kept.set(database, statements);
  }
  return statements;
}

function keptPrepare(this: Database, sql: string): Statement {
  const statements = statementsOf(this);
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = prepare.call(this, sql);
    statements.set(sql, statement);
  }
  return statement;
}

function keptExec(this: Database, sql: string): Database {
  statementsOf(this);
  return exec.call(this, sql);
}

/** Also of a connection that was opened for nothing. */
function keptClose(this: Database): Database {
  statementsOf(this);
  return close.call(this);
}

/** better-sqlite3's own makes a statement that nobody holds. */
function keptPragma(this: Database, source: string, { simple = false } = {}): unknown {
  const statement = keptPrepare.call(this, `PRAGMA ${source}`);
  if (!statement.reader) statement.run();
  else if (simple) return statement.pluck(true).get();
  else return statement.pluck(false).all();
  return simple ? undefined : [];
}

Object.assign(Sqlite.prototype, { prepare: keptPrepare, exec: keptExec, close: keptClose, pragma: keptPragma });
