//! The tables, and how a file of an earlier format becomes one of this.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Executor, Row};

use crate::error::{Meaning, OpenError, meaning};
use crate::ledger::Limits;

/// What tells a ledger from any other SQLite file: "YGRA".
const APPLICATION_ID: i64 = 0x5947_5241;

/// How long a writer waits for another program's short transaction (a migration, a checkpoint).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// One script for each step from format n to n + 1. A released script never changes.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// The options of every connection to the file.
pub(crate) fn options(path: &Path, limits: Limits) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit is on the disk when it returns; with batches that costs little.
        .synchronous(SqliteSynchronous::Full);
    match limits.pages_max {
        Some(pages) => options.pragma("max_page_count", pages.to_string()),
        None => options,
    }
}

/// Makes the file where there is none, and brings it to the format that this program writes.
pub(crate) async fn prepare(path: &Path, limits: Limits) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| match meaning(&error) {
        Meaning::Full => OpenError::Full(path.to_owned(), error),
        Meaning::Damaged => OpenError::Damaged(path.to_owned(), error),
        Meaning::NotADatabase => OpenError::NotALedger(path.to_owned()),
        Meaning::Other => OpenError::Database(path.to_owned(), error),
    };
    let mut connection =
        SqliteConnection::connect_with(&options(path, limits).create_if_missing(true)).await.map_err(failed)?;
    let prepared = migrate(path, &mut connection).await;
    // The error that matters is the one of preparing.
    let closed = connection.close().await;
    prepared.map_err(|problem| match problem {
        Problem::Known(error) => error,
        Problem::Database(error) => failed(error),
    })?;
    closed.map_err(failed)
}

enum Problem {
    Known(OpenError),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), Problem> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if format(path, connection).await? == known {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another program may have been quicker.
    let found = format(path, &mut transaction).await?;
    for (number, &script) in (1_i64..).zip(MIGRATIONS) {
        if number > found {
            transaction.execute(sqlx::raw_sql(script)).await?;
        }
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};");
    transaction.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))).await?;
    transaction.commit().await?;
    Ok(())
}

/// The file's format; 0 for an empty file.
async fn format(path: &Path, connection: &mut SqliteConnection) -> Result<i64, Problem> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let application: i64 = sqlx::query("PRAGMA application_id").fetch_one(&mut *connection).await?.try_get(0)?;
    let found: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut *connection).await?.try_get(0)?;
    let tables: i64 =
        sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?.try_get(0)?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(Problem::Known(OpenError::NotALedger(path.to_owned())));
    }
    if found > known {
        return Err(Problem::Known(OpenError::Newer { path: path.to_owned(), found, known }));
    }
    Ok(found)
}
