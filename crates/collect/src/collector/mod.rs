//! Reads a live account, type by type and region by region.
//!
//! What could not be read is said as such: nothing that failed looks like something that is not there.

mod api;
mod calls;
mod detail;
mod discover;
mod item;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, try_join_all};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tracing::info;
use yagura_model::{AccountId, Observation, Partition, Region, ResourceType, Seen};

pub use api::{Api, Call, Clock, Failure, Pages};
use calls::Calls;
pub use discover::{Discovered, Undiscovered, discover};
pub(crate) use item::Parent;
use reading::{Known, Read, Reading};

use crate::types::{Definition, ResourceTypes};

/// How many types of one region are read at once, with those that are listed for their resources.
const TYPES_AT_ONCE: usize = 12;
/// How many regions are read at once: all that there are today, and some more.
const REGIONS_AT_ONCE: usize = 48;

/// What to read.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The account that the credentials are for.
    pub account: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// The regions to read.
    pub regions: Vec<Region>,
    /// Regions that the account has not enabled: left out, and said so.
    pub disabled_regions: Vec<Region>,
    /// The types to read, with the types they are listed for; none for all.
    pub types: Option<BTreeSet<ResourceType>>,
}

/// The region that answers for what belongs to no region; none for a partition that is not known.
pub fn home_region(partition: &Partition) -> Option<Region> {
    let region = match partition.as_str() {
        "aws" => "us-east-1",
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-iso-f" => "us-isof-south-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => return None,
    };
    Some(Region::from(region))
}

/// How far a run is, read while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    readings: AtomicUsize,
    readings_total: AtomicUsize,
    resources: AtomicUsize,
    calls: AtomicUsize,
}

impl Progress {
    /// Types read, one for each region that they are read in.
    pub fn types_done(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }

    /// Types to be read in all, counted likewise.
    pub fn types_total(&self) -> usize {
        self.readings_total.load(Ordering::Relaxed)
    }

    /// Resources found.
    pub fn resources(&self) -> usize {
        self.resources.load(Ordering::Relaxed)
    }

    /// Calls made, each page counted.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn count_calls(&self, calls: usize) {
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    fn count_resource(&self) {
        self.resources.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why a run ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Whoever took the observations went away.
    #[error("nobody takes the observations any more")]
    NobodyListens,
    /// Global types cannot be asked.
    #[error("the home region of partition `{0}` is not known")]
    UnknownPartition(Partition),
}

/// Reads accounts by the resource types given.
#[derive(Debug, Clone)]
pub struct Collector {
    types: Arc<ResourceTypes>,
    progress: Arc<Progress>,
    one_of_each: bool,
}

impl Collector {
    /// A collector of these types.
    pub fn new(types: Arc<ResourceTypes>) -> Self {
        Self { types, progress: Arc::default(), one_of_each: false }
    }

    /// The same, describing only the first item of each listing: enough to know which calls are answered, in an account
    /// of any size. What it gives is no inventory.
    #[must_use]
    pub fn one_of_each(self) -> Self {
        Self { one_of_each: true, ..self }
    }

    /// How far the run is; counts on over several runs.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Reads everything in `scope` and sends it to `sink`. Dropping the future ends the run; nothing is left behind.
    pub async fn run(
        &self,
        scope: &Scope,
        api: &dyn Api,
        clock: &dyn Clock,
        sink: mpsc::Sender<Observation>,
    ) -> Result<(), Stopped> {
        let chosen = self.chosen(scope);
        let places = places(scope)?;
        let readings: Vec<(&Definition, &str)> = places
            .iter()
            .flat_map(|place| {
                let here = chosen.values().filter(|definition| definition.global == place.recorded.is_global());
                here.map(|definition| (&***definition, place.asked.as_str()))
            })
            .collect();
        self.progress.readings_total.fetch_add(readings.len(), Ordering::Relaxed);
        let calls = Calls::new(api, clock, &self.progress, readings.iter().copied());
        let known = chosen.values().filter(|definition| definition.region.is_some());
        let run = Run {
            known: known.map(|definition| (definition.kind.clone(), Arc::default())).collect(),
            types: &chosen,
            calls,
            clock,
            sink,
            progress: &self.progress,
            one_of_each: self.one_of_each,
        };
        for region in &scope.disabled_regions {
            run.give(Seen::RegionDisabled { account: scope.account.clone(), region: region.clone() }).await?;
        }
        stream::iter(&places).map(|place| run.place(place)).buffer_unordered(REGIONS_AT_ONCE).try_collect::<()>().await
    }

    /// The types of the scope and those that they are listed for.
    fn chosen(&self, scope: &Scope) -> BTreeMap<ResourceType, &Arc<Definition>> {
        let Some(types) = &scope.types else {
            return self.types.iter().map(|definition| (definition.kind.clone(), definition)).collect();
        };
        let mut chosen = BTreeMap::new();
        for kind in types {
            let mut next = self.types.get(kind);
            while let Some(definition) = next {
                chosen.insert(definition.kind.clone(), definition);
                next = definition.parent().and_then(|parent| self.types.get(parent));
            }
        }
        chosen
    }
}

/// Where types are read.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) partition: Partition,
    /// The region whose endpoint is asked.
    pub(crate) asked: String,
    /// The region that is recorded: `global` for global types.
    pub(crate) recorded: Region,
}

/// The partition's home for the global types, and each region once.
fn places(scope: &Scope) -> Result<Vec<Place>, Stopped> {
    let home = home_region(&scope.partition).ok_or_else(|| Stopped::UnknownPartition(scope.partition.clone()))?;
    let place = |asked: &Region, recorded: Region| Place {
        account: scope.account.clone(),
        partition: scope.partition.clone(),
        asked: asked.as_str().to_owned(),
        recorded,
    };
    let regions: BTreeSet<&Region> = scope.regions.iter().collect();
    let mut places = vec![place(&home, Region::global())];
    places.extend(regions.into_iter().map(|region| place(region, region.clone())));
    Ok(places)
}

/// One run, as its parts see it.
pub(crate) struct Run<'a> {
    types: &'a BTreeMap<ResourceType, &'a Arc<Definition>>,
    calls: Calls<'a>,
    clock: &'a dyn Clock,
    sink: mpsc::Sender<Observation>,
    progress: &'a Progress,
    /// For types that name the region of their resources: one may be shown by several regions.
    known: BTreeMap<ResourceType, Arc<Known>>,
    /// Whether only the first item of each listing is described.
    one_of_each: bool,
}

impl Run<'_> {
    async fn place(&self, place: &Place) -> Result<(), Stopped> {
        let roots = self
            .types
            .values()
            .filter(|definition| definition.global == place.recorded.is_global() && definition.parent().is_none());
        stream::iter(roots)
            .map(|definition| self.tree(definition, place, None))
            .buffer_unordered(TYPES_AT_ONCE)
            .try_collect::<()>()
            .await?;
        info!(region = place.recorded.as_str(), account_id = place.account.as_str(), "region read");
        Ok(())
    }

    /// Reads a type, then those that are listed for its resources.
    fn tree<'b>(
        &'b self,
        definition: &'b Definition,
        place: &'b Place,
        above: Option<Arc<Read>>,
    ) -> BoxFuture<'b, Result<(), Stopped>> {
        Box::pin(async move {
            let children: Vec<_> =
                self.types.values().filter(|child| child.parent() == Some(&definition.kind)).collect();
            let known = self.known.get(&definition.kind).cloned().unwrap_or_default();
            let reading = Reading { run: self, definition, place, known, keep: !children.is_empty() };
            let read = Arc::new(reading.read(above.as_deref()).await?);
            drop(above);
            self.calls.done(definition, &place.asked);
            self.progress.readings.fetch_add(1, Ordering::Relaxed);
            try_join_all(children.into_iter().map(|child| self.tree(child, place, Some(read.clone())))).await?;
            Ok(())
        })
    }

    async fn give(&self, seen: Seen) -> Result<(), Stopped> {
        let observation = Observation { at: self.clock.now(), seen };
        self.sink.send(observation).await.map_err(|_| Stopped::NobodyListens)
    }
}

/// Reads one type in one place over given parents, for the tests inside resource files.
pub(crate) async fn read_with_parents(
    definition: &Definition,
    parents: Vec<Parent>,
    place: &Place,
    api: &dyn Api,
    clock: &dyn Clock,
    sink: mpsc::Sender<Observation>,
) -> Result<(), Stopped> {
    let progress = Progress::default();
    let run = Run {
        types: &BTreeMap::new(),
        calls: Calls::new(api, clock, &progress, std::iter::once((definition, place.asked.as_str()))),
        clock,
        sink,
        progress: &progress,
        known: BTreeMap::new(),
        one_of_each: false,
    };
    let above = Read { parents: parents.into_iter().map(Arc::new).collect(), failure: None };
    let reading = Reading { run: &run, definition, place, known: Arc::default(), keep: false };
    reading.read(Some(&above)).await.map(|_| ())
}

#[cfg(test)]
mod tests;
