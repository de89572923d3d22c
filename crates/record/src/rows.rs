//! Rows of the tables as nouns of the model.

use chrono::{DateTime, Utc};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Row};
use yagura_model::{Resource, ResourceKey};

use crate::body::{self, Body};
use crate::changes::State;
use crate::error::ReadError;

/// The columns that [`resource_key`] reads, of `resource r`.
pub(crate) const KEY_COLUMNS: &str = "r.type, r.account, r.region, r.identifier";

/// The columns that [`version_state`] and [`version_resource`] read besides, of `version v`, `body b` and `reading g`.
pub(crate) const BODY_COLUMNS: &str = "b.hash, b.coding, b.bytes, g.unread, g.unknown, g.volatile";

/// What a row says a resource is known by.
pub(crate) fn resource_key(row: &SqliteRow) -> Result<ResourceKey, ReadError> {
    Ok(ResourceKey {
        kind: row.try_get::<&str, _>("type")?.into(),
        account: row.try_get::<&str, _>("account")?.into(),
        region: row.try_get::<&str, _>("region")?.into(),
        id: row.try_get("identifier")?,
    })
}

/// What a version consists of.
fn version_body(row: &SqliteRow) -> Result<Body, ReadError> {
    let hash: &[u8] = row.try_get("hash")?;
    Ok(body::decode(hash, row.try_get("coding")?, row.try_get("bytes")?)?)
}

/// What a version consists of, and what is unknown of it.
pub(crate) fn version_state(row: &SqliteRow) -> Result<State, ReadError> {
    Ok(State { body: version_body(row)?, unknown: json(row.try_get("unknown")?)? })
}

/// A version as the collector showed the resource.
pub(crate) fn version_resource(row: &SqliteRow) -> Result<Resource, ReadError> {
    let unread = json(row.try_get("unread")?)?;
    let volatile = json(row.try_get("volatile")?)?;
    Ok(version_body(row)?.into_resource(resource_key(row)?, unread, volatile)?)
}

/// A column of JSON.
pub(crate) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| ReadError::Body(error.into()))
}

/// A column of time.
pub(crate) fn time(row: &SqliteRow, column: &str) -> Result<DateTime<Utc>, ReadError> {
    Ok(body::time(row.try_get(column)?)?)
}

/// A column of time that may be null.
pub(crate) fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<DateTime<Utc>>, ReadError> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(body::time).transpose()?)
}

/// Goes on after `… JOIN version v ON …`: to the version that was so at a time, its body and its reading then.
pub(crate) fn push_at(query: &mut QueryBuilder<Sqlite>, at: Option<DateTime<Utc>>) {
    let at = moment(at);
    query.push(" AND v.since <= ").push_bind(at);
    query.push(" AND (v.until IS NULL OR v.until > ").push_bind(at);
    query.push(") JOIN body b ON b.hash = v.body JOIN reading g ON g.id = (SELECT max(id) FROM reading WHERE version = v.id AND since <= ");
    query.push_bind(at).push(")");
}

/// A time as the queries compare it: the end of time where it is not given.
pub(crate) fn moment(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(i64::MAX, body::micros)
}
