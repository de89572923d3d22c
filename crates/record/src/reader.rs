//! Reading what is recorded.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{QueryBuilder, Row};
use yagura_model::{AccountId, Arn, Region, Resource, ResourceKey, Unread};

use crate::changes::{self, Change, State};
use crate::error::ReadError;
use crate::rows::{self, BODY_COLUMNS, KEY_COLUMNS};

/// Connections that read at the same time; a console asks several questions at once.
const CONNECTIONS_MAX: u32 = 4;

/// The most resources that one answer names; the next ones are asked for with [`Filter::offset`].
pub const RESOURCES_MAX: u32 = 10_000;

/// The most resources that one id or ARN is looked up as: the same name in every region, with room to spare.
const NAMESAKES_MAX: u32 = 100;

/// Reads a ledger, while a scan may be recorded into it.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) pool: SqlitePool,
}

/// Which resources to name. What is not given does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A type, with `*` and `?` as wildcards (`AWS::S3::*`).
    pub kind: Option<String>,
    /// A region, or `global`.
    pub region: Option<Region>,
    /// An account.
    pub account: Option<AccountId>,
    /// A part of the identifier, the ARN or the name, in any case.
    pub text: Option<String>,
    /// Those that are there (`false`), or those that are gone (`true`).
    pub gone: bool,
    /// How many to name, at most [`RESOURCES_MAX`]; 0 for as many as that.
    pub limit: u32,
    /// How many to leave out first.
    pub offset: u32,
}

/// A resource by name, without what it consists of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResourceRow {
    /// What it is known by.
    #[serde(flatten)]
    pub key: ResourceKey,
    /// Its ARN.
    pub arn: Option<Arn>,
    /// What a person calls it.
    pub name: Option<String>,
    /// How many versions it has.
    pub version: i64,
    /// When it was seen first, since it was last gone.
    pub first_seen: DateTime<Utc>,
    /// When it was seen last.
    pub last_seen: DateTime<Utc>,
    /// Since when it is gone.
    pub gone: Option<DateTime<Utc>>,
}

/// A resource at one time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recorded {
    /// As the collector showed it; what could not be read then is in its `unread`.
    pub resource: Resource,
    /// Which of its versions this is, from 1 on.
    pub version: i64,
    /// When this version was seen first.
    pub since: DateTime<Utc>,
    /// When it was seen last.
    pub last_seen: DateTime<Utc>,
    /// Since when it is no longer so.
    pub until: Option<DateTime<Utc>>,
}

/// All the versions of a resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// What it is known by.
    #[serde(flatten)]
    pub key: ResourceKey,
    /// From the first on.
    pub versions: Vec<Version>,
}

/// One version, and how it differs from the one before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    /// From 1 on.
    pub number: i64,
    /// When it was seen first.
    pub since: DateTime<Utc>,
    /// When it was seen last.
    pub last_seen: DateTime<Utc>,
    /// When another version was seen, or (`gone`) when the resource was there no more.
    pub until: Option<DateTime<Utc>>,
    /// Whether the resource was gone at `until`.
    pub gone: bool,
    /// Whether the resource appeared with this version: its first one, or the first after it was gone.
    pub appeared: bool,
    /// What could not be read when it was seen last.
    pub unread: Vec<Unread>,
    /// What is different from the version before; nothing where it appeared.
    pub changes: Vec<Change>,
}

/// A scan, finished or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scan {
    /// From 1 on, in the order of beginning.
    pub number: i64,
    /// The account that was scanned.
    pub account: AccountId,
    /// Where its observations came from.
    pub source: String,
    /// The regions that were asked.
    pub regions: Vec<Region>,
    /// When it started.
    pub started: DateTime<Utc>,
    /// When it ended; none where it was broken off, or is running.
    pub finished: Option<DateTime<Utc>>,
    /// How many types and places were listed.
    pub listed: i64,
    /// How many could not be.
    pub unlisted: i64,
}

impl Reader {
    pub(crate) async fn connect(options: SqliteConnectOptions) -> Result<Self, ReadError> {
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await?;
        Ok(Self { pool })
    }

    /// Lets go of the file. Without it, that happens some time after the last clone is dropped.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// The resources that pass a filter, by account, type, region and identifier.
    pub async fn resources(&self, filter: &Filter) -> Result<Vec<ResourceRow>, ReadError> {
        let mut query = select_rows();
        query.push(" WHERE v.gone = ").push_bind(filter.gone);
        if let Some(kind) = &filter.kind {
            // `[` begins a class in GLOB, and means itself here.
            query.push(" AND r.type GLOB ").push_bind(kind.replace('[', "[[]"));
        }
        if let Some(region) = &filter.region {
            query.push(" AND r.region = ").push_bind(region.to_string());
        }
        if let Some(account) = &filter.account {
            query.push(" AND r.account = ").push_bind(account.to_string());
        }
        if let Some(text) = &filter.text {
            query.push(" AND instr(lower(r.identifier || char(10) || coalesce(r.arn, '') || char(10) || coalesce(r.label, '')), lower(");
            query.push_bind(text.clone()).push(")) > 0");
        }
        let limit = if filter.limit == 0 { RESOURCES_MAX } else { filter.limit.min(RESOURCES_MAX) };
        query.push(" ORDER BY r.account, r.type, r.region, r.identifier LIMIT ").push_bind(limit);
        query.push(" OFFSET ").push_bind(filter.offset);
        query.build().fetch_all(&self.pool).await?.iter().map(resource_row).collect()
    }

    /// The resources of this id or ARN, as they are now or were at a time; one that is or was gone then is left out.
    pub async fn resource(&self, name: &str, at: Option<DateTime<Utc>>) -> Result<Vec<Recorded>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(KEY_COLUMNS).push(", v.number, v.since, v.seen, v.until, ").push(BODY_COLUMNS);
        query.push(" FROM resource r JOIN version v ON v.resource = r.id");
        rows::push_at(&mut query, at);
        query.push(" WHERE r.id IN (SELECT id FROM resource WHERE identifier = ").push_bind(name.to_owned());
        query.push(" UNION SELECT id FROM resource WHERE arn = ").push_bind(name.to_owned());
        query.push(") ORDER BY r.account, r.type, r.region, r.identifier LIMIT ").push_bind(NAMESAKES_MAX);
        let mut found = Vec::new();
        for row in query.build().fetch_all(&self.pool).await? {
            found.push(Recorded {
                resource: rows::version_resource(&row)?,
                version: row.try_get("number")?,
                since: rows::time(&row, "since")?,
                last_seen: rows::time(&row, "seen")?,
                until: rows::optional_time(&row, "until")?,
            });
        }
        Ok(found)
    }

    /// Every version of the resources of this id or ARN, each with what is different from the one before.
    pub async fn history(&self, name: &str) -> Result<Vec<History>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT r.id, ");
        query.push(KEY_COLUMNS).push(" FROM resource r WHERE r.id IN (SELECT id FROM resource WHERE identifier = ");
        query.push_bind(name.to_owned()).push(" UNION SELECT id FROM resource WHERE arn = ").push_bind(name.to_owned());
        query.push(") ORDER BY r.account, r.type, r.region, r.identifier LIMIT ").push_bind(NAMESAKES_MAX);
        let mut histories = Vec::new();
        for row in query.build().fetch_all(&self.pool).await? {
            let versions = self.versions(row.try_get("id")?).await?;
            histories.push(History { key: rows::resource_key(&row)?, versions });
        }
        Ok(histories)
    }

    async fn versions(&self, resource: i64) -> Result<Vec<Version>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT v.number, v.since, v.seen, v.until, v.gone, ");
        query.push(BODY_COLUMNS).push(" FROM version v JOIN body b ON b.hash = v.body");
        query.push(" JOIN reading g ON g.id = (SELECT max(id) FROM reading WHERE version = v.id) WHERE v.resource = ");
        query.push_bind(resource).push(" ORDER BY v.number");
        let mut versions = Versions::default();
        for row in query.build().fetch_all(&self.pool).await? {
            versions.add(&row)?;
        }
        Ok(versions.all)
    }

    /// Every scan, the latest first.
    pub async fn scans(&self) -> Result<Vec<Scan>, ReadError> {
        let rows = sqlx::query(
            "SELECT id, account, source, regions, started, finished,
                (SELECT count(*) FROM listing WHERE scan = scan.id AND cause IS NULL) AS listed,
                (SELECT count(*) FROM listing WHERE scan = scan.id AND cause IS NOT NULL) AS unlisted
            FROM scan ORDER BY id DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        let scan = |row| {
            Ok(Scan {
                number: sqlx::Row::try_get(row, "id")?,
                account: sqlx::Row::try_get::<&str, _>(row, "account")?.into(),
                source: sqlx::Row::try_get(row, "source")?,
                regions: rows::json(sqlx::Row::try_get(row, "regions")?)?,
                started: rows::time(row, "started")?,
                finished: rows::optional_time(row, "finished")?,
                listed: sqlx::Row::try_get(row, "listed")?,
                unlisted: sqlx::Row::try_get(row, "unlisted")?,
            })
        };
        rows.iter().map(scan).collect()
    }
}

/// The versions of one resource, one after the other.
#[derive(Default)]
pub(crate) struct Versions {
    pub(crate) all: Vec<Version>,
    before: Option<State>,
}

impl Versions {
    /// Takes in the next one, from [`BODY_COLUMNS`] and the columns of `version v`.
    pub(crate) fn add(&mut self, row: &SqliteRow) -> Result<(), ReadError> {
        let state = rows::version_state(row)?;
        let gone: bool = row.try_get("gone")?;
        let changes = self.before.as_ref().map(|earlier| changes::between(earlier, &state));
        self.all.push(Version {
            number: row.try_get("number")?,
            since: rows::time(row, "since")?,
            last_seen: rows::time(row, "seen")?,
            until: rows::optional_time(row, "until")?,
            gone,
            appeared: self.before.is_none(),
            unread: rows::json(row.try_get("unread")?)?,
            changes: changes.unwrap_or_default(),
        });
        self.before = if gone { None } else { Some(state) };
        Ok(())
    }
}

/// Begins to ask for [`ResourceRow`]s, up to where conditions follow.
pub(crate) fn select_rows() -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(KEY_COLUMNS);
    query.push(
        ", r.arn, r.label, v.number, v.seen, v.until, v.gone, coalesce((
            SELECT min(c.since) FROM version c WHERE c.resource = r.id AND c.number > coalesce((
                SELECT max(e.number) FROM version e
                WHERE e.resource = r.id AND e.gone = 1 AND e.number < v.number), 0)), v.since) AS first_seen
        FROM resource r
        JOIN version v ON v.resource = r.id AND v.number = (SELECT max(number) FROM version WHERE resource = r.id)",
    );
    query
}

pub(crate) fn resource_row(row: &SqliteRow) -> Result<ResourceRow, ReadError> {
    let gone: bool = row.try_get("gone")?;
    Ok(ResourceRow {
        key: rows::resource_key(row)?,
        arn: row.try_get::<Option<&str>, _>("arn")?.map(Arn::from),
        name: row.try_get("label")?,
        version: row.try_get("number")?,
        first_seen: rows::time(row, "first_seen")?,
        last_seen: rows::time(row, "seen")?,
        gone: if gone { rows::optional_time(row, "until")? } else { None },
    })
}
