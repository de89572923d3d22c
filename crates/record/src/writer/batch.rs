//! Rows that are written together.

use std::collections::BTreeMap;

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use yagura_model::{AccountId, Arn, Region, Resource, ResourceKey, ResourceType};

use crate::body::Hash;
use crate::error::{BodyError, WriteError};

/// Everything that a number of observations amounts to. One statement writes all the rows of one kind: a statement for
/// each row would spend its time on going to and fro.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) observations: usize,
    pub(super) resources: Vec<(i64, ResourceKey, ResourceRow)>,
    /// Resources whose latest version may have another ARN or name.
    pub(super) renamed: BTreeMap<i64, ResourceRow>,
    pub(super) bodies: Vec<(Hash, i64, Vec<u8>)>,
    pub(super) versions: Vec<VersionRow>,
    /// Versions that another one follows, and since when.
    pub(super) superseded: Vec<(i64, i64)>,
    /// Versions seen again, and when.
    pub(super) seen: BTreeMap<i64, i64>,
    pub(super) readings: Vec<ReadingRow>,
    /// Readings with newer volatile attributes.
    pub(super) volatile: BTreeMap<i64, String>,
    pub(super) listings: Vec<ListingRow>,
    pub(super) disabled: Vec<(AccountId, Region, i64)>,
}

/// What the table of resources says beside the key.
pub(super) struct ResourceRow {
    arn: Option<Arn>,
    label: Option<String>,
}

impl ResourceRow {
    pub(super) fn new(resource: &Resource) -> Self {
        Self { arn: resource.arn.clone(), label: resource.name.clone() }
    }
}

pub(super) struct VersionRow {
    pub(super) id: i64,
    pub(super) resource: i64,
    pub(super) number: i64,
    pub(super) body: Hash,
    pub(super) since: i64,
}

pub(super) struct ReadingRow {
    pub(super) id: i64,
    pub(super) version: i64,
    pub(super) since: i64,
    pub(super) unread: String,
    pub(super) unknown: String,
    pub(super) volatile: String,
}

pub(super) struct ListingRow {
    pub(super) kind: ResourceType,
    pub(super) account: AccountId,
    pub(super) region: Region,
    pub(super) at: i64,
    pub(super) cause: Option<String>,
}

impl Batch {
    pub(super) async fn write(self, connection: &mut SqliteConnection, scan: i64) -> Result<(), WriteError> {
        self.insert_resources(connection).await?;
        self.insert_versions(connection, scan).await?;
        self.insert_listings(connection, scan).await?;
        update(
            connection,
            "UPDATE version SET until = j.value ->> 1 FROM json_each(?1) j WHERE version.id = j.value ->> 0",
            &self.superseded,
        )
        .await?;
        update(
            connection,
            "UPDATE reading SET volatile = j.value ->> 1 FROM json_each(?1) j WHERE reading.id = j.value ->> 0",
            &self.volatile.iter().collect::<Vec<_>>(),
        )
        .await?;
        let seen: Vec<(i64, i64, i64)> = self.seen.into_iter().map(|(version, at)| (version, at, scan)).collect();
        update(
            connection,
            "UPDATE version SET seen = max(seen, j.value ->> 1), scan = j.value ->> 2 \
             FROM json_each(?1) j WHERE version.id = j.value ->> 0",
            &seen,
        )
        .await
    }

    async fn insert_resources(&self, connection: &mut SqliteConnection) -> Result<(), WriteError> {
        let columns = "INSERT INTO resource (id, type, account, region, identifier, arn, label) ";
        insert(connection, columns, "", &self.resources, |row, (id, key, resource)| {
            row.push_bind(*id)
                .push_bind(key.kind.as_str().to_owned())
                .push_bind(key.account.as_str().to_owned())
                .push_bind(key.region.as_str().to_owned())
                .push_bind(key.id.clone())
                .push_bind(resource.arn.as_ref().map(ToString::to_string))
                .push_bind(resource.label.clone());
        })
        .await?;
        let renamed: Vec<_> = self
            .renamed
            .iter()
            .map(|(id, row)| (id, row.arn.as_ref().map(Arn::as_str), row.label.as_deref()))
            .collect();
        update(
            connection,
            "UPDATE resource SET arn = j.value ->> 1, label = j.value ->> 2 \
             FROM json_each(?1) j WHERE resource.id = j.value ->> 0",
            &renamed,
        )
        .await
    }

    async fn insert_versions(&self, connection: &mut SqliteConnection, scan: i64) -> Result<(), WriteError> {
        let columns = "INSERT INTO body (hash, coding, bytes) ";
        insert(connection, columns, " ON CONFLICT DO NOTHING", &self.bodies, |row, (hash, coding, bytes)| {
            row.push_bind(hash.to_vec()).push_bind(*coding).push_bind(bytes.clone());
        })
        .await?;
        let columns = "INSERT INTO version (id, resource, number, body, since, seen, gone, scan) ";
        insert(connection, columns, "", &self.versions, |row, version| {
            row.push_bind(version.id)
                .push_bind(version.resource)
                .push_bind(version.number)
                .push_bind(version.body.to_vec())
                .push_bind(version.since)
                .push_bind(version.since)
                .push_bind(0)
                .push_bind(scan);
        })
        .await?;
        let columns = "INSERT INTO reading (id, version, since, unread, unknown, volatile) ";
        insert(connection, columns, "", &self.readings, |row, reading| {
            row.push_bind(reading.id)
                .push_bind(reading.version)
                .push_bind(reading.since)
                .push_bind(reading.unread.clone())
                .push_bind(reading.unknown.clone())
                .push_bind(reading.volatile.clone());
        })
        .await
    }

    async fn insert_listings(&self, connection: &mut SqliteConnection, scan: i64) -> Result<(), WriteError> {
        let columns = "INSERT INTO listing (scan, type, account, region, at, cause) ";
        // Where a part of a place could not be listed, the place was not listed, whatever came before or after.
        let conflict = " ON CONFLICT DO UPDATE SET at = excluded.at, cause = coalesce(listing.cause, excluded.cause)";
        insert(connection, columns, conflict, &self.listings, |row, listing| {
            row.push_bind(scan)
                .push_bind(listing.kind.as_str().to_owned())
                .push_bind(listing.account.as_str().to_owned())
                .push_bind(listing.region.as_str().to_owned())
                .push_bind(listing.at)
                .push_bind(listing.cause.clone());
        })
        .await?;
        let columns = "INSERT INTO disabled_region (scan, account, region, at) ";
        insert(connection, columns, " ON CONFLICT DO NOTHING", &self.disabled, |row, (account, region, at)| {
            row.push_bind(scan)
                .push_bind(account.as_str().to_owned())
                .push_bind(region.as_str().to_owned())
                .push_bind(*at);
        })
        .await
    }
}

type Row<'a, 'b> = sqlx::query_builder::Separated<'a, Sqlite, &'b str>;

async fn insert<T>(
    connection: &mut SqliteConnection,
    columns: &'static str,
    conflict: &'static str,
    rows: &[T],
    bind: impl Fn(&mut Row<'_, '_>, &T),
) -> Result<(), WriteError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::<Sqlite>::new(columns);
    query.push_values(rows, |mut row, values| bind(&mut row, values));
    query.push(conflict);
    query.build().execute(connection).await?;
    Ok(())
}

/// Updates one row for each of `rows`, which the statement sees as a JSON list.
async fn update(
    connection: &mut SqliteConnection,
    statement: &'static str,
    rows: &[impl serde::Serialize],
) -> Result<(), WriteError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_string(rows).map_err(BodyError::Json)?;
    sqlx::query(statement).bind(rows).execute(connection).await?;
    Ok(())
}
