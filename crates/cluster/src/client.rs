//! A cluster as the lake's engine: sends the plan of a question, waits, and fetches the answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ballista_core::client::BallistaClient;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    CancelJobParams, CleanJobDataParams, ExecuteQueryParams, GetJobStatusParams, KeyValuePair, PartitionLocation,
    execute_query_result, job_status,
};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_core::version::insert_version_header;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::JoinType;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::analyze::AnalyzeExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::replace_children_if_necessary;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::transport::Channel;
use tracing::{debug, warn};
use url::Url;
use yagura_lake::{QueryError, Remote};

use crate::spool::Spool;
use crate::{ATTEMPTS_MAX, ClusterError, MESSAGE_BYTES_MAX, session};

/// The name of every question's session, so that executors keep what they read of files from one to the next.
const SESSION: &str = "yagura";

/// How often the scheduler is asked whether the answer is there.
const LOOK: Duration = Duration::from_millis(50);

/// How long a scheduler may say nothing of a question that it took.
const UNKNOWN_TIME_MAX: Duration = Duration::from_secs(20);

/// How long the scheduler may take to say whether it has executors.
const READY_TIME_MAX: Duration = Duration::from_secs(10);

/// How often an executor is asked again for rows before the question is, and the time between.
const FETCHES_MAX: u8 = 2;
const FETCH_AGAIN_MS: u64 = 500;

/// What a job says that failed because an executor is gone, and not because of what was asked: it was given up (see
/// `members`), a task could not fetch from another, or nobody is left.
const LOSSES: [&str; 4] =
    ["Cancelled", "most recent failure reason", "Error connecting to Ballista", "all executors were lost"];

type Client = SchedulerGrpcClient<Channel>;

/// A cluster, by the address of its scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    host: String,
    port: u16,
}

impl Cluster {
    /// The cluster whose scheduler is at `http://HOST:PORT`; `HOST:PORT` says the same.
    pub fn new(address: &str) -> Result<Self, ClusterError> {
        let bad = || ClusterError::Address(address.to_owned());
        let url = if address.contains("://") { Url::parse(address) } else { Url::parse(&format!("http://{address}")) };
        let url = url.map_err(|_| bad())?;
        let more = url.path() != "/" || url.query().is_some() || url.fragment().is_some();
        if url.scheme() != "http" || more || !url.username().is_empty() || url.password().is_some() {
            return Err(bad());
        }
        // The port that a URL need not name is never a scheduler's.
        let (Some(host), Some(port)) = (url.host_str(), url.port()) else { return Err(bad()) };
        Ok(Self { host: host.to_owned(), port })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `HOST:PORT`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn unreachable(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClusterError {
        ClusterError::Unreachable(self.to_string(), Some(error.into()))
    }

    async fn connect(&self) -> Result<Client, ClusterError> {
        let settings = GrpcClientConfig::from(&session::config().ballista_config());
        let endpoint =
            create_grpc_client_endpoint(self.to_string(), Some(&settings)).map_err(|error| self.unreachable(error))?;
        let channel = endpoint.connect().await.map_err(|error| self.unreachable(error))?;
        let bytes = MESSAGE_BYTES_MAX as usize;
        Ok(Client::new(channel).max_encoding_message_size(bytes).max_decoding_message_size(bytes))
    }

    /// Whether there is anybody to answer: without executors a question would wait for its whole time.
    async fn check_executors(&self) -> Result<(), ClusterError> {
        let asked = async {
            let mut stream = TcpStream::connect(self.authority()).await?;
            let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.authority());
            stream.write_all(request.as_bytes()).await?;
            let mut status = [0; 12]; // HTTP/1.1 503
            stream.read_exact(&mut status).await?;
            std::io::Result::Ok(status)
        };
        let status = timeout(READY_TIME_MAX, asked).await.map_err(|late| self.unreachable(late))?;
        match status.map_err(|error| self.unreachable(error))?.as_slice() {
            b"HTTP/1.1 503" => Err(ClusterError::NoExecutor(self.to_string())),
            _ => Ok(()),
        }
    }

    /// One try to answer.
    async fn ask(
        &self,
        question: &ExecuteQueryParams,
        plan: &Arc<dyn ExecutionPlan>,
        ends: Instant,
    ) -> Result<Spool, QueryError> {
        self.check_executors().await?;
        let mut scheduler = self.connect().await?;
        let job = self.submit(&mut scheduler, question.clone()).await?;
        let answered = timeout_at(ends, async {
            let places = self.wait(&mut scheduler, &job).await?;
            fetch(places, Spool::new(plan.schema()).map_err(failed)?).await
        });
        let answered = answered.await;
        // What is left there would be removed later; that it is not asked for any more helps, and need not succeed.
        let told = match &answered {
            Ok(Ok(_)) => {
                let all = CleanJobDataParams { job_id: job.clone(), remove_stage_ids: Vec::new() };
                scheduler.clean_job_data(all).await.err()
            }
            _ => scheduler.cancel_job(CancelJobParams { job_id: job.clone() }).await.err(),
        };
        if let Some(error) = told {
            debug!(job, %error, "scheduler not told that a question is over");
        }
        answered.unwrap_or(Err(QueryError::TooSlow))
    }

    async fn submit(&self, scheduler: &mut Client, question: ExecuteQueryParams) -> Result<String, ClusterError> {
        let mut request = tonic::Request::new(question);
        insert_version_header(request.metadata_mut());
        let refused = |text: String| ClusterError::Refused(self.to_string(), text);
        let taken = scheduler.execute_query(request).await.map_err(|status| match status.code() {
            tonic::Code::Unavailable => self.unreachable(status),
            _ => refused(status.message().to_owned()),
        })?;
        match taken.into_inner().result {
            Some(execute_query_result::Result::Success(job)) => Ok(job.job_id),
            Some(execute_query_result::Result::Failure(failure)) => {
                Err(refused(failure.failure.map(|failure| format!("{failure:?}")).unwrap_or_default()))
            }
            None => Err(refused(String::new())),
        }
    }

    /// Waits for the answer, and gives the places where its parts are.
    async fn wait(&self, scheduler: &mut Client, job: &str) -> Result<Vec<PartitionLocation>, QueryError> {
        let mut heard = Instant::now();
        loop {
            let params = GetJobStatusParams { job_id: job.to_owned() };
            let answer = scheduler.get_job_status(params).await.map_err(|error| self.unreachable(error))?;
            match answer.into_inner().status.and_then(|status| status.status) {
                Some(job_status::Status::Successful(done)) => return Ok(done.partition_location),
                Some(job_status::Status::Failed(job)) => return Err(failure(&job.error)),
                Some(job_status::Status::Queued(_) | job_status::Status::Running(_)) => heard = Instant::now(),
                None if heard.elapsed() > UNKNOWN_TIME_MAX => {
                    return Err(ClusterError::Lost("the scheduler forgot the question".into()).into());
                }
                None => {}
            }
            sleep(LOOK).await;
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

#[async_trait]
impl Remote for Cluster {
    fn planner(&self, state: SessionState) -> SessionState {
        session::planner(state)
    }

    async fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        state: &SessionState,
        ends: Instant,
    ) -> Result<SendableRecordBatchStream, QueryError> {
        if plan.is::<AnalyzeExec>() {
            return Err(ClusterError::Analyze.into());
        }
        let plan = one_task_where_needed(plan).map_err(failed)?;
        let question = question(&plan, state)?;
        let mut attempt = 1;
        loop {
            match self.ask(&question, &plan, ends).await {
                Ok(spool) => return spool.finish().map_err(failed),
                Err(error) if is_loss(&error) && attempt < ATTEMPTS_MAX => {
                    warn!(attempt, %error, "asking the cluster again");
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The question as it is sent: the plan, and the settings to carry it out by.
fn question(plan: &Arc<dyn ExecutionPlan>, state: &SessionState) -> Result<ExecuteQueryParams, ClusterError> {
    let unsendable = |error| ClusterError::Unsendable(Box::new(error));
    let codec = state.config().ballista_physical_extension_codec();
    let message = PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), codec.as_ref()).map_err(unsendable)?;
    let mut bytes = Vec::new();
    message.try_encode(&mut bytes).map_err(unsendable)?;
    // The settings and the envelope have their place, too.
    if bytes.len() > MESSAGE_BYTES_MAX as usize - (1 << 20) {
        return Err(ClusterError::TooLarge { megabytes: bytes.len().div_ceil(1 << 20) });
    }
    let settings = state.config().options().entries().into_iter();
    let settings = settings.map(|entry| KeyValuePair { key: entry.key, value: entry.value });
    Ok(ExecuteQueryParams {
        session_id: SESSION.to_owned(),
        settings: settings.collect(),
        operation_id: String::new(),
        query: Some(Query::PhysicalPlan(bytes)),
    })
}

/// Fetches all parts of the answer in their order.
async fn fetch(places: Vec<PartitionLocation>, mut spool: Spool) -> Result<Spool, QueryError> {
    for place in places {
        let expected = place.partition_stats.as_ref().map(|stats| stats.num_rows);
        let mut rows = part(place).await?;
        let mut count: i64 = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| ClusterError::Lost(Box::new(error)))?;
            count = count.saturating_add_unsigned(batch.num_rows() as u64);
            spool.add(&batch).map_err(failed)?;
        }
        // Negative where it was not counted.
        if let Some(expected) = expected.filter(|expected| *expected >= 0 && *expected != count) {
            return Err(ClusterError::Lost(format!("{count} of {expected} rows of a part came").into()).into());
        }
    }
    Ok(spool)
}

/// One part of the answer, from the executor that has it.
async fn part(place: PartitionLocation) -> Result<SendableRecordBatchStream, ClusterError> {
    let lost = |text: &str| ClusterError::Lost(text.into());
    let layout = place.layout();
    let executor = place.executor_meta.ok_or_else(|| lost("no executor has a part of the answer"))?;
    let partition = place.partition_id.ok_or_else(|| lost("a part of the answer has no name"))?;
    let port = u16::try_from(executor.port).map_err(|_| lost("an executor has no port"))?;
    let bytes = MESSAGE_BYTES_MAX as usize;
    let client = BallistaClient::try_new(&executor.host, port, bytes, false, None, FETCHES_MAX, FETCH_AGAIN_MS, 0, 0);
    let mut client = client.await.map_err(|error| ClusterError::Lost(Box::new(error)))?;
    let fetched = client.fetch_partition(&executor.id, &partition.into(), place.file_id, layout, true).await;
    fetched.map_err(|error| ClusterError::Lost(Box::new(error)))
}

/// The plan with joins in one task whose tasks would have to know of each other: which rows of the left side found no
/// partner is known only when all of the right side was seen.
fn one_task_where_needed(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let joined = plan.transform_up(|node| {
        let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else { return Ok(Transformed::no(node)) };
        let right = join.right();
        let of_right_alone = [JoinType::Inner, JoinType::Right, JoinType::RightSemi, JoinType::RightAnti];
        let parts = right.properties().output_partitioning().partition_count();
        if parts == 1 || of_right_alone.contains(join.join_type()) || *join.join_type() == JoinType::RightMark {
            return Ok(Transformed::no(node));
        }
        let right = Arc::new(CoalescePartitionsExec::new(Arc::clone(right)));
        let children: Vec<Arc<dyn ExecutionPlan>> = vec![Arc::clone(join.left()), right];
        Ok(Transformed::yes(replace_children_if_necessary(node, children)?))
    });
    joined.data()
}

/// What a failed job says of itself.
fn failure(text: &str) -> QueryError {
    if text.contains("Resources exhausted") || text.contains("ResourcesExhausted") {
        return QueryError::TooMuch(Box::new(DataFusionError::ResourcesExhausted(text.to_owned())));
    }
    let text = text.lines().collect::<Vec<_>>().join(" ");
    if LOSSES.iter().any(|loss| text.contains(loss)) {
        return ClusterError::Lost(text.into()).into();
    }
    ClusterError::Failed(text).into()
}

fn failed(error: DataFusionError) -> QueryError {
    match error {
        DataFusionError::ResourcesExhausted(_) => QueryError::TooMuch(Box::new(error)),
        other => QueryError::Failed(Box::new(other)),
    }
}

impl From<ClusterError> for QueryError {
    fn from(error: ClusterError) -> Self {
        Self::Remote(Box::new(error))
    }
}

/// Whether the answer was lost on its way, so that asking again helps.
fn is_loss(error: &QueryError) -> bool {
    let QueryError::Remote(error) = error else { return false };
    matches!(error.downcast_ref(), Some(ClusterError::Lost(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (given, expected) in [
            ("http://127.0.0.1:50050", Some("http://127.0.0.1:50050")),
            ("http://127.0.0.1:50050/", Some("http://127.0.0.1:50050")),
            ("scheduler.example.com:50050", Some("http://scheduler.example.com:50050")),
            ("http://[::1]:50050", Some("http://[::1]:50050")),
            ("https://127.0.0.1:50050", None),
            ("http://127.0.0.1", None),
            ("http://user@127.0.0.1:50050", None),
            ("http://127.0.0.1:50050/jobs", None),
            ("grpc://127.0.0.1:50050", None),
            ("50050", None),
            ("", None),
        ] {
            assert_eq!(Cluster::new(given).ok().map(|cluster| cluster.to_string()).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn only_a_lost_answer_is_asked_for_again() {
        assert!(is_loss(&ClusterError::Lost("gone".into()).into()));
        assert!(is_loss(&failure("Cancelled")));
        assert!(is_loss(&failure("Stage 4 has failed 1 times, most recent failure reason: \"tcp connect error\"")));
        assert!(!is_loss(&failure("Job failed: Cast error")));
        assert!(!is_loss(&QueryError::TooSlow));
        assert!(matches!(failure("x: Resources exhausted: 5 MB"), QueryError::TooMuch(_)));
    }
}
