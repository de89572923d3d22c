//! Many resources at once: by any of their names, and with all their versions.

use std::ops::ControlFlow;

use futures::TryStreamExt;
use sqlx::sqlite::Sqlite;
use sqlx::{QueryBuilder, Row};
use yagura_model::Arn;

use crate::error::ReadError;
use crate::reader::{History, Reader, ResourceRow, Versions, resource_row, select_rows};
use crate::rows::{self, BODY_COLUMNS, KEY_COLUMNS};

/// Names asked for at a time; SQLite takes 32,766 values in one statement.
const NAMES_AT_ONCE: usize = 5_000;

impl Reader {
    /// The resources whose id, ARN or name is one of `names`, there or gone, by account, type, region and identifier as
    /// far as they were asked for together.
    pub async fn named(&self, names: &[String]) -> Result<Vec<ResourceRow>, ReadError> {
        let mut found = Vec::new();
        for names in names.chunks(NAMES_AT_ONCE) {
            let mut query = select_rows();
            let mut is_first = true;
            for column in ["identifier", "arn", "label"] {
                query.push(if is_first { " WHERE r.id IN (" } else { " UNION " });
                query.push("SELECT id FROM resource WHERE ").push(column).push(" IN (");
                let mut list = query.separated(", ");
                for name in names {
                    list.push_bind(name.clone());
                }
                query.push(")");
                is_first = false;
            }
            query.push(") ORDER BY r.account, r.type, r.region, r.identifier");
            for row in query.build().fetch_all(&self.pool).await? {
                found.push(resource_row(&row)?);
            }
        }
        Ok(found)
    }

    /// Every version of every resource, in one pass over the ledger: hands each resource's history to `visit`, by
    /// account, type, region and identifier, until it has enough.
    pub async fn each_history(
        &self,
        mut visit: impl FnMut(Option<Arn>, History) -> ControlFlow<()> + Send,
    ) -> Result<(), ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT r.id, r.arn, ");
        query.push(KEY_COLUMNS).push(", v.number, v.since, v.seen, v.until, v.gone, ").push(BODY_COLUMNS);
        query.push(" FROM resource r JOIN version v ON v.resource = r.id JOIN body b ON b.hash = v.body");
        query.push(" JOIN reading g ON g.id = (SELECT max(id) FROM reading WHERE version = v.id)");
        query.push(" ORDER BY r.account, r.type, r.region, r.identifier, v.number");
        let mut current: Option<(i64, Option<Arn>, History, Versions)> = None;
        let query = query.build();
        let mut stream = query.fetch(&self.pool);
        while let Some(row) = stream.try_next().await? {
            let id: i64 = row.try_get("id")?;
            if current.as_ref().is_none_or(|(current, ..)| *current != id) {
                let arn = row.try_get::<Option<&str>, _>("arn")?.map(Arn::from);
                let history = History { key: rows::resource_key(&row)?, versions: Vec::new() };
                let before = current.replace((id, arn, history, Versions::default()));
                if let Some((_, arn, history, versions)) = before
                    && visit(arn, History { versions: versions.all, ..history }).is_break()
                {
                    return Ok(());
                }
            }
            if let Some((.., versions)) = &mut current {
                versions.add(&row)?;
            }
        }
        if let Some((_, arn, history, versions)) = current {
            let _ = visit(arn, History { versions: versions.all, ..history });
        }
        Ok(())
    }
}
