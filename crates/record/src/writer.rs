//! Recording one scan.

mod batch;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use yagura_model::{AccountId, Observation, Region, Resource, ResourceKey, Seen};

use crate::body::{self, BODY_BYTES_MAX, Body, Hash};
use crate::error::{BodyError, ReadError, WriteError};
use crate::rows;
use batch::{Batch, ListingRow, ReadingRow, ResourceRow, VersionRow};

/// Observations that are made durable together. A larger number is faster by little; a smaller one loses less when the
/// program is killed.
pub const OBSERVATIONS_PER_COMMIT: usize = 1_000;

/// What is known of a scan when it begins.
#[derive(Debug, Clone)]
pub struct ScanInfo {
    /// The account that is scanned.
    pub account: AccountId,
    /// When it started. Scans of an account are recorded in the order of time.
    pub started: DateTime<Utc>,
    /// The regions that are asked.
    pub regions: Vec<Region>,
    /// Where the observations come from (`live`, a bundle's name).
    pub source: String,
    /// Names of attributes that AWS changes by itself (`RoleLastUsed`): a change of these alone makes no version.
    pub volatile: BTreeSet<String>,
}

/// What a finished scan amounted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanSummary {
    /// Resources shown, each observation counted.
    pub seen: u64,
    /// Resources that were not there before.
    pub appeared: u64,
    /// Resources that have a new version.
    pub changed: u64,
    /// Resources that are there no more.
    pub gone: u64,
}

/// A scan that is being recorded. Dropped without [`ScanWriter::finish`], it stays unfinished: what it committed is kept,
/// and it makes nothing gone.
pub struct ScanWriter {
    connection: SqliteConnection,
    scan: i64,
    volatile: BTreeSet<String>,
    next: NextIds,
    loaded: HashSet<AccountId>,
    known: HashMap<ResourceKey, Known>,
    batch: Batch,
    summary: ScanSummary,
    /// Whether a write failed: what is remembered here may then be ahead of the file.
    is_broken: bool,
    /// Held until the writer is dropped.
    _lock: File,
}

/// The ids that rows get next; nobody else gives any while the lock is held.
struct NextIds {
    resource: i64,
    version: i64,
    reading: i64,
}

/// The latest version of a resource.
struct Known {
    resource: i64,
    version: i64,
    number: i64,
    body: Hash,
    seen: i64,
    is_gone: bool,
    reading: i64,
    unread: String,
    unknown: String,
    volatile: String,
}

impl ScanWriter {
    pub(crate) async fn begin(options: &SqliteConnectOptions, lock: &Path, info: ScanInfo) -> Result<Self, WriteError> {
        let lock = take_lock(lock)?;
        let mut connection = SqliteConnection::connect_with(options).await?;
        let latest: Option<i64> = sqlx::query("SELECT max(started) FROM scan WHERE account = ?")
            .bind(info.account.as_str())
            .fetch_one(&mut connection)
            .await?
            .try_get(0)?;
        if let Some(latest) = latest.filter(|&latest| body::micros(info.started) < latest) {
            let (account, started) = (info.account, info.started);
            return Err(WriteError::BackInTime { account, recorded: body::time(latest)?, started });
        }
        let regions = serde_json::to_string(&info.regions).map_err(BodyError::Json)?;
        let scan = sqlx::query("INSERT INTO scan (account, source, regions, started) VALUES (?, ?, ?, ?)")
            .bind(info.account.as_str())
            .bind(info.source)
            .bind(regions)
            .bind(body::micros(info.started))
            .execute(&mut connection)
            .await?
            .last_insert_rowid();
        let next = NextIds::read(&mut connection).await?;
        Ok(Self {
            connection,
            scan,
            volatile: info.volatile,
            next,
            loaded: HashSet::new(),
            known: HashMap::new(),
            batch: Batch::default(),
            summary: ScanSummary::default(),
            is_broken: false,
            _lock: lock,
        })
    }

    /// Records what was seen. It is durable after the next [`OBSERVATIONS_PER_COMMIT`] at the latest, or after
    /// [`ScanWriter::flush`].
    pub async fn observe(&mut self, observation: &Observation) -> Result<(), WriteError> {
        if self.is_broken {
            return Err(WriteError::Broken);
        }
        let at = body::micros(observation.at);
        match &observation.seen {
            Seen::Resource(resource) => self.observe_resource(at, resource).await?,
            Seen::Listed { kind, account, region } => self.batch.listings.push(ListingRow {
                kind: kind.clone(),
                account: account.clone(),
                region: region.clone(),
                at,
                cause: None,
            }),
            Seen::Unlisted { kind, account, region, cause } => self.batch.listings.push(ListingRow {
                kind: kind.clone(),
                account: account.clone(),
                region: region.clone(),
                at,
                cause: Some(serde_json::to_string(cause).map_err(BodyError::Json)?),
            }),
            Seen::RegionDisabled { account, region } => {
                self.batch.disabled.push((account.clone(), region.clone(), at));
            }
        }
        self.batch.observations += 1;
        if self.batch.observations >= OBSERVATIONS_PER_COMMIT {
            self.flush().await?;
        }
        Ok(())
    }

    /// Makes everything observed so far durable.
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        if self.is_broken {
            return Err(WriteError::Broken);
        }
        let batch = std::mem::take(&mut self.batch);
        self.is_broken = true;
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        batch.write(&mut transaction, self.scan).await?;
        transaction.commit().await?;
        self.is_broken = false;
        Ok(())
    }

    /// Ends the scan: what was listed completely and not shown is gone.
    pub async fn finish(mut self, at: DateTime<Utc>) -> Result<ScanSummary, WriteError> {
        self.flush().await?;
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        self.summary.gone = sqlx::query(MARK_GONE).bind(self.scan).execute(&mut *transaction).await?.rows_affected();
        sqlx::query("UPDATE scan SET finished = ? WHERE id = ?")
            .bind(body::micros(at))
            .bind(self.scan)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.connection.close().await?;
        Ok(self.summary)
    }

    async fn observe_resource(&mut self, at: i64, resource: &Resource) -> Result<(), WriteError> {
        if self.loaded.insert(resource.account.clone()) {
            self.load(&resource.account).await?;
        }
        self.summary.seen += 1;
        let mut parts = body::parts(resource, &self.volatile)?;
        let unread = json(&resource.unread)?;
        let volatile = json(&parts.volatile)?;
        let key = resource.key();
        let Some(known) = self.known.get(&key) else {
            return self.add_version(at, resource, &parts.body, (unread, volatile), None);
        };
        if known.is_gone {
            return self.add_version(at, resource, &parts.body, (unread, volatile), None);
        }
        let (hash, unknown) = (known.body, known.unknown.clone());
        let mut still_unknown = Vec::new();
        if !resource.unread.is_empty() {
            let before = self.body(hash).await?;
            parts.body.fill_unread(&resource.unread, &before);
            let unknown: Vec<String> = serde_json::from_str(&unknown).map_err(BodyError::Json)?;
            still_unknown = body::still_unknown(&resource.unread, &unknown);
        }
        if body::hash(&parts.body.to_bytes()?) != hash {
            return self.add_version(at, resource, &parts.body, (unread, volatile), Some(&still_unknown));
        }
        let unknown = json(&still_unknown)?;
        if let Some(known) = self.known.get_mut(&key) {
            known.see_again(at, (unread, unknown, volatile), &mut self.next, &mut self.batch);
        }
        Ok(())
    }

    /// A version that is new: the first, one after the resource was gone, or (`still_unknown` is given) a changed one.
    fn add_version(
        &mut self,
        at: i64,
        resource: &Resource,
        body: &Body,
        (unread, volatile): (String, String),
        still_unknown: Option<&[String]>,
    ) -> Result<(), WriteError> {
        let bytes = body.to_bytes()?;
        if bytes.len() > BODY_BYTES_MAX {
            let (kind, id) = (resource.kind.to_string(), resource.id.clone());
            return Err(WriteError::TooLarge { kind, id, bytes: bytes.len(), max: BODY_BYTES_MAX });
        }
        let unknown = match still_unknown {
            Some(paths) => json(&paths)?,
            None => json(&body::paths(&resource.unread).collect::<Vec<_>>())?,
        };
        let hash = body::hash(&bytes);
        let key = resource.key();
        let row = ResourceRow::new(resource);
        let (id, number, since) = if let Some(known) = self.known.get(&key) {
            let since = at.max(known.seen);
            if !known.is_gone {
                self.batch.superseded.push((known.version, since));
            }
            self.batch.renamed.insert(known.resource, row);
            (known.resource, known.number + 1, since)
        } else {
            let id = next(&mut self.next.resource);
            self.batch.resources.push((id, key.clone(), row));
            (id, 1, at)
        };
        match still_unknown {
            Some(_) => self.summary.changed += 1,
            None => self.summary.appeared += 1,
        }
        let version = next(&mut self.next.version);
        let reading = next(&mut self.next.reading);
        let (coding, bytes) = body::encode(bytes);
        self.batch.bodies.push((hash, coding, bytes));
        self.batch.versions.push(VersionRow { id: version, resource: id, number, body: hash, since });
        self.batch.readings.push(ReadingRow {
            id: reading,
            version,
            since,
            unread: unread.clone(),
            unknown: unknown.clone(),
            volatile: volatile.clone(),
        });
        let known = Known {
            resource: id,
            version,
            number,
            body: hash,
            seen: since,
            is_gone: false,
            reading,
            unread,
            unknown,
            volatile,
        };
        self.known.insert(key, known);
        Ok(())
    }

    /// A body by its hash, wherever it is by now.
    async fn body(&mut self, hash: Hash) -> Result<Body, WriteError> {
        if let Some((_, coding, bytes)) = self.batch.bodies.iter().find(|(known, _, _)| *known == hash) {
            return Ok(body::decode(&hash, *coding, bytes.clone())?);
        }
        let row = sqlx::query("SELECT coding, bytes FROM body WHERE hash = ?")
            .bind(hash.as_slice())
            .fetch_one(&mut self.connection)
            .await?;
        Ok(body::decode(&hash, row.try_get("coding")?, row.try_get("bytes")?)?)
    }

    /// Reads the latest version of everything in an account, so that observing it again needs no query each.
    async fn load(&mut self, account: &AccountId) -> Result<(), WriteError> {
        let rows = sqlx::query(LATEST).bind(account.as_str()).fetch_all(&mut self.connection).await?;
        for row in &rows {
            let key = rows::resource_key(row).map_err(|error| match error {
                ReadError::Damaged(error) | ReadError::Database(error) => WriteError::from(error),
                ReadError::Body(error) => WriteError::Body(error),
            })?;
            let body: &[u8] = row.try_get("body")?;
            let known = Known {
                resource: row.try_get("id")?,
                version: row.try_get("version")?,
                number: row.try_get("number")?,
                body: body.try_into().map_err(|_| BodyError::Hash)?,
                seen: row.try_get("seen")?,
                is_gone: row.try_get("gone")?,
                reading: row.try_get("reading")?,
                unread: row.try_get("unread")?,
                unknown: row.try_get("unknown")?,
                volatile: row.try_get("volatile")?,
            };
            self.known.insert(key, known);
        }
        Ok(())
    }
}

impl Known {
    /// The same version, seen once more.
    fn see_again(
        &mut self,
        at: i64,
        (unread, unknown, volatile): (String, String, String),
        next_ids: &mut NextIds,
        batch: &mut Batch,
    ) {
        self.seen = self.seen.max(at);
        batch.seen.insert(self.version, self.seen);
        if self.unread != unread || self.unknown != unknown {
            self.reading = next(&mut next_ids.reading);
            batch.readings.push(ReadingRow {
                id: self.reading,
                version: self.version,
                since: self.seen,
                unread: unread.clone(),
                unknown: unknown.clone(),
                volatile: volatile.clone(),
            });
            (self.unread, self.unknown, self.volatile) = (unread, unknown, volatile);
        } else if self.volatile != volatile {
            batch.volatile.insert(self.reading, volatile.clone());
            self.volatile = volatile;
        }
    }
}

impl NextIds {
    async fn read(connection: &mut SqliteConnection) -> Result<Self, WriteError> {
        let row = sqlx::query(
            "SELECT (SELECT coalesce(max(id), 0) FROM resource), (SELECT coalesce(max(id), 0) FROM version), \
             (SELECT coalesce(max(id), 0) FROM reading)",
        )
        .fetch_one(connection)
        .await?;
        let after = |index: usize| row.try_get::<i64, _>(index).map(|last| last + 1);
        Ok(Self { resource: after(0)?, version: after(1)?, reading: after(2)? })
    }
}

fn next(id: &mut i64) -> i64 {
    let this = *id;
    *id += 1;
    this
}

fn json(value: &impl serde::Serialize) -> Result<String, BodyError> {
    Ok(serde_json::to_string(value)?)
}

fn take_lock(path: &Path) -> Result<File, WriteError> {
    let failed = |error| WriteError::Lock(path.to_owned(), error);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(WriteError::Busy),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The latest version of every resource of an account, with its latest reading.
const LATEST: &str = "
    SELECT r.id, r.type, r.account, r.region, r.identifier,
           v.id AS version, v.number, v.body, max(v.seen, coalesce(v.until, v.seen)) AS seen, v.gone,
           g.id AS reading, g.unread, g.unknown, g.volatile
    FROM resource r
    JOIN version v ON v.resource = r.id AND v.number = (SELECT max(number) FROM version WHERE resource = r.id)
    JOIN reading g ON g.id = (SELECT max(id) FROM reading WHERE version = v.id)
    WHERE r.account = ?";

/// What was listed completely by a scan and not seen by it is gone, from the time of the listing on. A type that is
/// listed once for all regions (`global`) may have resources in any; one that could not be listed in any part of the
/// place keeps all it has there.
const MARK_GONE: &str = "
    UPDATE version SET gone = 1, until = max(seen, (
        SELECT max(l.at) FROM listing l JOIN resource r ON r.account = l.account AND r.type = l.type
        WHERE r.id = version.resource AND l.scan = ?1 AND l.cause IS NULL
    ))
    WHERE until IS NULL AND scan <> ?1 AND resource IN (
        SELECT r.id FROM listing l JOIN resource r ON r.account = l.account AND r.type = l.type
        WHERE l.scan = ?1 AND l.cause IS NULL AND l.region IN (r.region, 'global')
          AND NOT EXISTS (
              SELECT 1 FROM listing u
              WHERE u.scan = ?1 AND u.account = r.account AND u.type = r.type AND u.cause IS NOT NULL
                AND u.region IN (r.region, 'global')
          )
    )";
