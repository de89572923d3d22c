//! Everything at one moment, and what is different between two.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::Sqlite;
use sqlx::{QueryBuilder, Row};
use yagura_model::{AccountId, Observation, ResourceKey, Seen};

use crate::changes::{self, Change};
use crate::error::ReadError;
use crate::reader::Reader;
use crate::rows::{self, BODY_COLUMNS, KEY_COLUMNS};

/// What is different between two moments. What came and went in between is in neither.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Difference {
    /// There now, and not then.
    pub appeared: Vec<ResourceKey>,
    /// There both times, and different.
    pub changed: Vec<Changed>,
    /// There then, and no more.
    pub disappeared: Vec<ResourceKey>,
}

/// A resource that is different.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// What it is known by.
    #[serde(flatten)]
    pub key: ResourceKey,
    /// How it differs.
    pub changes: Vec<Change>,
}

impl Reader {
    /// All that was known of an account at a time (now, where none is given): its resources, how each type was listed in
    /// each place, and the regions that are not enabled.
    ///
    /// A type and place that several scans asked for stands as the latest finished one found it; what only an unfinished
    /// scan asked for, as that one did. What no scan asked for is not mentioned.
    pub async fn snapshot(
        &self,
        account: &AccountId,
        at: Option<DateTime<Utc>>,
    ) -> Result<Vec<Observation>, ReadError> {
        // One transaction: a scan that commits meanwhile is seen wholly or not at all.
        let mut transaction = self.pool.begin().await?;
        let mut observations = Vec::new();
        let mut query = QueryBuilder::<Sqlite>::new("SELECT v.seen, ");
        query.push(KEY_COLUMNS).push(", ").push(BODY_COLUMNS);
        query.push(" FROM resource r JOIN version v ON v.resource = r.id");
        rows::push_at(&mut query, at);
        query.push(" WHERE r.account = ").push_bind(account.to_string());
        query.push(" ORDER BY r.type, r.region, r.identifier");
        for row in query.build().fetch_all(&mut *transaction).await? {
            let resource = rows::version_resource(&row)?;
            let seen = rows::time(&row, "seen")?;
            let seen = at.map_or(seen, |at| seen.min(at));
            observations.push(Observation { at: seen, seen: Seen::Resource(Box::new(resource)) });
        }
        let listings =
            sqlx::query(LISTINGS).bind(account.as_str()).bind(rows::moment(at)).fetch_all(&mut *transaction).await?;
        for row in &listings {
            let (kind, region) = (row.try_get::<&str, _>("type")?.into(), row.try_get::<&str, _>("region")?.into());
            let account = account.clone();
            let seen = match row.try_get::<Option<&str>, _>("cause")? {
                None => Seen::Listed { kind, account, region },
                Some(cause) => Seen::Unlisted { kind, account, region, cause: rows::json(cause)? },
            };
            observations.push(Observation { at: rows::time(row, "at")?, seen });
        }
        let disabled =
            sqlx::query(DISABLED).bind(account.as_str()).bind(rows::moment(at)).fetch_all(&mut *transaction).await?;
        for row in &disabled {
            let region = row.try_get::<&str, _>("region")?.into();
            let seen = Seen::RegionDisabled { account: account.clone(), region };
            observations.push(Observation { at: rows::time(row, "at")?, seen });
        }
        transaction.commit().await?;
        Ok(observations)
    }

    /// What is different now (or at `until`) from what was at `since`, in one account or in all.
    pub async fn diff(
        &self,
        account: Option<&AccountId>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Difference, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT r.id, ");
        query.push(KEY_COLUMNS).push(", old.id AS old, new.id AS new FROM resource r");
        for (alias, at) in [("old", Some(since)), ("new", until)] {
            let at = rows::moment(at);
            // Of versions that began at the same instant, the last one counts.
            query.push(" LEFT JOIN version ").push(alias).push(" ON ").push(alias).push(".resource = r.id AND ");
            query.push(alias).push(".since <= ").push_bind(at);
            query.push(" AND (").push(alias).push(".until IS NULL OR ").push(alias).push(".until > ").push_bind(at);
            query.push(")");
        }
        query.push(" WHERE old.id IS NOT new.id");
        if let Some(account) = account {
            query.push(" AND r.account = ").push_bind(account.to_string());
        }
        query.push(" ORDER BY r.account, r.type, r.region, r.identifier");
        let mut difference = Difference::default();
        for row in query.build().fetch_all(&self.pool).await? {
            let key = rows::resource_key(&row)?;
            match (row.try_get("old")?, row.try_get("new")?) {
                (None, Some(_)) => difference.appeared.push(key),
                (Some(_), None) => difference.disappeared.push(key),
                (Some(old), Some(new)) => {
                    let changes = self.changes(old, new).await?;
                    if changes.iter().any(|change| !change.learned) {
                        difference.changed.push(Changed { key, changes });
                    }
                }
                (None, None) => {}
            }
        }
        Ok(difference)
    }

    async fn changes(&self, old: i64, new: i64) -> Result<Vec<Change>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(BODY_COLUMNS).push(" FROM version v JOIN body b ON b.hash = v.body");
        query.push(" JOIN reading g ON g.id = (SELECT max(id) FROM reading WHERE version = v.id) WHERE v.id IN (");
        query.push_bind(old).push(", ").push_bind(new).push(") ORDER BY v.number");
        let rows = query.build().fetch_all(&self.pool).await?;
        let [old, new] = rows.as_slice() else { return Ok(Vec::new()) };
        Ok(changes::between(&rows::version_state(old)?, &rows::version_state(new)?))
    }
}

/// The listing that counts for each type and place.
const LISTINGS: &str = "
    SELECT type, region, at, cause FROM (
        SELECT l.type, l.region, l.at, l.cause, row_number() OVER (
            PARTITION BY l.type, l.region ORDER BY s.finished IS NULL, l.scan DESC
        ) AS place
        FROM listing l JOIN scan s ON s.id = l.scan
        WHERE l.account = ?1 AND l.at <= ?2
    ) WHERE place = 1 ORDER BY type, region";

/// The regions that the latest finished scan of the account left out, or the latest where none was finished.
const DISABLED: &str = "
    SELECT region, at FROM disabled_region
    WHERE account = ?1 AND scan = (
        SELECT id FROM scan WHERE account = ?1 AND started <= ?2 ORDER BY finished IS NULL, id DESC LIMIT 1
    )
    ORDER BY region";
