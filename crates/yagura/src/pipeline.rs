//! The whole wiring on one screen: account → collect → ledger and bundle → inventory → rules → verdicts.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tracing::info;
use yagura_aws::client::{ClientOptions, Limits, ReadClient, RetryPolicy, TransportLimits};
use yagura_aws::credentials::{Environment, Session, SessionOptions};
use yagura_aws::model::Models;
use yagura_collect::bundle::Header;
use yagura_collect::{Api, BundleReader, BundleWriter, Call, Collector, Failure, Pages, Progress, Scope, collector};
use yagura_model::{AccountId, Inventory, Observation, Region, ResourceType, RuleName, Verdict};
use yagura_record::{Ledger, ScanInfo};
use yagura_rules::Engine;

use crate::Interrupted;
use crate::config::Config;
use crate::content;
use crate::report::CallRow;
use crate::words::Words;

/// Observations that may wait between reading and keeping.
const OBSERVATIONS_WAITING_MAX: usize = 1024;

/// How often the progress line is drawn anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(120);

/// What was seen, and where from.
pub(crate) struct Seen {
    /// What a report calls it.
    pub(crate) source: String,
    /// The accounts.
    pub(crate) accounts: Vec<AccountId>,
    /// The regions.
    pub(crate) regions: Vec<Region>,
    /// When it was seen.
    pub(crate) at: DateTime<Utc>,
    /// All of it.
    pub(crate) inventory: Inventory,
    /// The calls that it took.
    pub(crate) calls: Vec<CallRow>,
}

/// Where observations are kept beside the inventory of the run.
pub(crate) struct Keep {
    /// In the ledger.
    pub(crate) ledger: bool,
    /// In a bundle.
    pub(crate) bundle: Option<PathBuf>,
}

/// What every rule chosen says of everything seen.
pub(crate) fn judge(
    engine: &Engine,
    inventory: &Inventory,
    now: DateTime<Utc>,
    rules: Option<&BTreeSet<RuleName>>,
) -> Vec<Verdict> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let started = crate::now();
    let verdicts =
        engine.judge_all(inventory, now, threads, |control| rules.is_none_or(|rules| rules.contains(&control.name)));
    let resources = inventory.resources().len();
    info!(
        resources,
        verdicts = verdicts.len(),
        milliseconds = milliseconds_since(started),
        threads,
        "resources judged"
    );
    verdicts
}

fn milliseconds_since(started: DateTime<Utc>) -> i64 {
    (crate::now() - started).num_milliseconds()
}

/// The runtime that calls and writes run on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the program's threads")
}

/// The clock of the machine: the one place that reads it for the libraries.
struct SystemClock;

impl collector::Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        crate::now()
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// Signs in as the configuration says.
pub(crate) async fn session(config: &Config, words: &Words) -> Result<Session> {
    let prompt = words.get("mfa.prompt").to_owned();
    let options = SessionOptions {
        profile: config.profile.value.clone(),
        region: config.regions.value.first().cloned(),
        endpoint_url: config.endpoint_url.value.clone(),
        environment: Environment {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            home: crate::config::Environment::get("HOME").map(PathBuf::from),
        },
        mfa: Some(Arc::new(move |_: &str, serial: &str| ask_code(&prompt, serial))),
        clock: Arc::new(|| SystemTime::from(crate::now())),
        transport: TransportLimits::default(),
    };
    Ok(Session::load(options).await?)
}

/// A connected account.
pub(crate) struct Live {
    api: yagura_collect::Live,
}

impl Live {
    /// Signs in as the configuration says; sends nothing yet.
    pub(crate) async fn connect(config: &Config, words: &Words) -> Result<Self> {
        let session = session(config, words).await?;
        let models = Models::embedded().context("the API models cannot be read")?;
        let options = ClientOptions {
            limits: Limits { api_calls_max: Some(config.max_api_calls.value), ..Limits::default() },
            retry: retry_policy()?,
            seed: seed(),
        };
        let client = ReadClient::new(models, Arc::new(session), options).context("the client cannot be made")?;
        Ok(Self { api: yagura_collect::Live::new(client, models) })
    }

    /// The client.
    pub(crate) fn client(&self) -> &ReadClient {
        self.api.client()
    }

    /// The API, as the collector asks it.
    pub(crate) fn api(&self) -> &yagura_collect::Live {
        &self.api
    }

    /// The region to ask first: the session's, else one that every account has.
    pub(crate) fn region(&self) -> String {
        self.client().session().region().unwrap_or("us-east-1").to_owned()
    }

    /// How often each operation was called, and how it went.
    pub(crate) fn calls(&self) -> Vec<CallRow> {
        let stats = self.client().stats();
        let rows = stats.operations.into_iter().map(|((service, operation), stats)| CallRow {
            service,
            operation,
            calls: stats.calls + stats.retries,
            throttled: stats.throttles,
            denied: stats.denials,
        });
        rows.collect()
    }
}

/// How much of an account is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// All of it.
    Everything,
    /// The first resource of each type: enough to know which calls are answered.
    OneOfEach,
}

/// An account of which the first page of everything is all.
struct FirstPages<'a>(&'a yagura_collect::Live);

impl Api for FirstPages<'_> {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<serde_json::Value, Failure>> {
        self.0.call(call)
    }

    fn pages<'a>(&'a self, call: Call<'a>, _: usize) -> BoxFuture<'a, Pages> {
        Box::pin(async move {
            match self.0.call(call).await {
                Ok(page) => Pages { pages: vec![page], failure: None },
                Err(failure) => Pages { pages: Vec::new(), failure: Some(failure) },
            }
        })
    }

    fn iam_action(&self, service: &str, operation: &str) -> Option<String> {
        self.0.iam_action(service, operation)
    }
}

/// Reads an account: the types of `kinds`, or all.
pub(crate) fn read_live(
    config: &Config,
    kinds: Option<BTreeSet<ResourceType>>,
    keep: &Keep,
    depth: Depth,
    quiet: bool,
    words: &Words,
) -> Result<Seen> {
    let types = Arc::new(content::resource_types()?);
    runtime()?.block_on(async {
        let live = Live::connect(config, words).await?;
        let discovered = collector::discover(live.api(), &Region::from(live.region().as_str())).await?;
        let regions = chosen_regions(config, &live, &discovered)?;
        let scope = Scope {
            account: discovered.account.clone(),
            partition: discovered.partition.clone(),
            disabled_regions: disabled(config, &discovered),
            regions: regions.clone(),
            types: kinds,
        };
        let collector = Collector::new(types);
        let first_pages = FirstPages(live.api());
        let (collector, api): (_, &dyn Api) = match depth {
            Depth::Everything => (collector, live.api()),
            Depth::OneOfEach => (collector.one_of_each(), &first_pages),
        };
        let progress = Bar::start(collector.progress(), quiet, words);
        let (sender, receiver) = mpsc::channel(OBSERVATIONS_WAITING_MAX);
        let reading = collector.run(&scope, api, &SystemClock, sender);
        let keeping = keep_all(receiver, config, keep, &scope);
        let kept = tokio::select! {
            both = async { tokio::join!(reading, keeping) } => match both {
                // What keeping says comes first: reading only notices that nobody listens any more.
                (_, Err(error)) => Err(error),
                (Err(error), _) => Err(anyhow!(error)),
                (Ok(()), Ok(inventory)) => Ok(inventory),
            },
            _ = tokio::signal::ctrl_c() => Err(anyhow!(Interrupted(words.get("error.interrupted").to_owned()))),
        };
        progress.finish();
        Ok(Seen {
            source: discovered.account.to_string(),
            accounts: vec![discovered.account],
            regions,
            at: crate::now(),
            inventory: kept?,
            calls: live.calls(),
        })
    })
}

/// Takes every observation as it comes: into the ledger, into a bundle, into the inventory of the run.
async fn keep_all(
    mut receiver: mpsc::Receiver<Observation>,
    config: &Config,
    keep: &Keep,
    scope: &Scope,
) -> Result<Inventory> {
    let started = crate::now();
    let ledger = if keep.ledger { Some(open_ledger(config).await?) } else { None };
    let mut scan = match &ledger {
        None => None,
        Some(ledger) => Some(
            ledger
                .begin_scan(ScanInfo {
                    account: scope.account.clone(),
                    started,
                    regions: scope.regions.clone(),
                    source: "live".to_owned(),
                    volatile: content::VOLATILE_ATTRIBUTES.iter().map(|name| (*name).to_owned()).collect(),
                })
                .await?,
        ),
    };
    let header = Header {
        account: scope.account.clone(),
        partition: scope.partition.clone(),
        regions: scope.regions.clone(),
        started,
        yagura: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut bundle = match &keep.bundle {
        None => None,
        Some(path) => Some(BundleWriter::create(path, &header)?),
    };
    let mut inventory = Inventory::default();
    while let Some(observation) = receiver.recv().await {
        if let Some(scan) = &mut scan {
            scan.observe(&observation).await?;
        }
        if let Some(bundle) = &mut bundle {
            bundle.write(&observation)?;
        }
        inventory.add(observation.seen);
    }
    if let Some(scan) = scan {
        scan.finish(crate::now()).await?;
    }
    if let Some(bundle) = bundle {
        bundle.finish(crate::now())?;
    }
    Ok(inventory)
}

/// Reads a bundle: nothing of it is judged unless all of it is whole.
pub(crate) fn read_bundle(path: &Path) -> Result<Seen> {
    let started = crate::now();
    let unusable = || format!("the bundle `{}` cannot be used", path.display());
    let reader = BundleReader::open(path).with_context(unusable)?;
    let header = reader.header().clone();
    let mut inventory = Inventory::default();
    let at = reader.read(|observation| inventory.add(observation.seen)).with_context(unusable)?.finished;
    info!(resources = inventory.resources().len(), milliseconds = milliseconds_since(started), "bundle read");
    Ok(Seen {
        source: header.account.to_string(),
        accounts: vec![header.account],
        regions: header.regions,
        at,
        inventory,
        calls: Vec::new(),
    })
}

/// The ledger of the data folder, made where there is none.
pub(crate) async fn open_ledger(config: &Config) -> Result<Ledger> {
    Ok(Ledger::open(config.data_dir()?).await?)
}

/// What the ledger knows of every account now.
pub(crate) fn read_ledger(config: &Config, words: &Words) -> Result<Seen> {
    read_ledger_at(config, words, None)
}

/// What the ledger knew of every account at a time; now, where none is given.
pub(crate) fn read_ledger_at(config: &Config, words: &Words, time: Option<DateTime<Utc>>) -> Result<Seen> {
    runtime()?.block_on(async {
        let ledger = open_ledger(config).await?;
        let reader = ledger.reader().await?;
        let scans = reader.scans().await?;
        let Some(at) = scans.iter().map(|scan| scan.finished.unwrap_or(scan.started)).max() else {
            bail!("{}", words.fill("resources.empty", &[("path", &ledger.file().display())]));
        };
        let accounts: BTreeSet<AccountId> = scans.iter().map(|scan| scan.account.clone()).collect();
        let regions: BTreeSet<Region> = scans.iter().flat_map(|scan| scan.regions.iter().cloned()).collect();
        let mut inventory = Inventory::default();
        for account in &accounts {
            for observation in reader.snapshot(account, time).await? {
                inventory.add(observation.seen);
            }
        }
        reader.close().await;
        let names: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
        Ok(Seen {
            source: names.join(", "),
            accounts: accounts.iter().cloned().collect(),
            regions: regions.into_iter().collect(),
            at: time.unwrap_or(at),
            inventory,
            calls: Vec::new(),
        })
    })
}

/// How many scans the data folder holds; none where there is no ledger yet, and none is made.
pub(crate) fn recorded_scans(config: &Config) -> Result<usize> {
    if !config.data_dir.value.as_ref().is_some_and(|dir| dir.is_dir()) {
        return Ok(0);
    }
    runtime()?.block_on(async {
        let reader = open_ledger(config).await?.reader().await?;
        let scans = reader.scans().await?.len();
        reader.close().await;
        Ok(scans)
    })
}

/// The regions to read: those asked for, each of which the account must have, else all that are enabled.
pub(crate) fn chosen_regions(config: &Config, live: &Live, discovered: &collector::Discovered) -> Result<Vec<Region>> {
    if config.regions.value.is_empty() {
        return Ok(discovered.regions.clone());
    }
    let mut chosen = Vec::new();
    for name in &config.regions.value {
        let region = Region::from(name.as_str());
        if discovered.regions.contains(&region) {
            chosen.push(region);
        } else if !discovered.disabled_regions.contains(&region) {
            let known: Vec<&str> = discovered.regions.iter().map(Region::as_str).collect();
            let partition = live.client().partitions().of_region(name).map(|partition| partition.name.clone());
            match partition {
                Some(partition) if partition != discovered.partition.as_str() => {
                    bail!(
                        "region `{name}` belongs to partition `{partition}`, the account to `{}`",
                        discovered.partition
                    )
                }
                _ => bail!("there is no region `{name}` in this account: it has {}", known.join(", ")),
            }
        }
    }
    if chosen.is_empty() {
        bail!("none of the regions asked for is enabled in this account: enable one, or ask for another");
    }
    chosen.sort();
    chosen.dedup();
    Ok(chosen)
}

/// Regions left out that the person would otherwise expect to be read.
fn disabled(config: &Config, discovered: &collector::Discovered) -> Vec<Region> {
    let asked = &config.regions.value;
    let wanted = |region: &&Region| asked.is_empty() || asked.iter().any(|name| name == region.as_str());
    discovered.disabled_regions.iter().filter(wanted).cloned().collect()
}

fn ask_code(prompt: &str, serial: &str) -> std::io::Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(std::io::Error::other("an MFA code is needed, and there is no terminal to ask for it"));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{}", prompt.replace("{serial}", serial))?;
    stderr.flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// When to try again: by default, or as often as `AWS_MAX_ATTEMPTS` says, which the AWS CLI knows too.
pub(crate) fn retry_policy() -> Result<RetryPolicy> {
    let policy = RetryPolicy::default();
    let Some(text) = crate::config::Environment::get("AWS_MAX_ATTEMPTS") else { return Ok(policy) };
    match text.parse() {
        Ok(attempts @ 1..) => Ok(RetryPolicy { attempts_max: attempts, throttled_attempts_max: attempts, ..policy }),
        _ => bail!("the environment variable AWS_MAX_ATTEMPTS is `{text}`: expected a number from 1"),
    }
}

/// A seed for jitter and idempotency tokens, from the system's randomness by way of the hasher's.
pub(crate) fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// The progress line on a terminal; nothing elsewhere.
struct Bar {
    bar: ProgressBar,
    task: tokio::task::JoinHandle<()>,
}

impl Bar {
    fn start(progress: Arc<Progress>, quiet: bool, words: &Words) -> Self {
        let visible = !quiet && std::io::stderr().is_terminal();
        let bar = if visible { ProgressBar::new(1) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}  {eta}") {
            bar.set_style(style);
        }
        let (shown, template) = (bar.clone(), words.get("scan.progress").to_owned());
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(PROGRESS_EVERY);
            loop {
                ticks.tick().await;
                let (done, total) = (progress.types_done(), progress.types_total());
                shown.set_length(total.max(1) as u64);
                shown.set_position(done as u64);
                let message = template
                    .replace("{done}", &done.to_string())
                    .replace("{total}", &total.to_string())
                    .replace("{resources}", &progress.resources().to_string())
                    .replace("{calls}", &progress.calls().to_string());
                shown.set_message(message);
            }
        });
        Self { bar, task }
    }

    fn finish(self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
