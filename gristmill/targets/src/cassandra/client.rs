//! One connection to each node, by the `scylla` driver with everything clever turned off: no retry, no speculation, no
//! routing of its own, no keep-alive traffic.
//!
//! Each client has an event loop of its own that runs only while a request is waited for: a session is one thread's, and
//! what breaks in one is no other's. (A loop on a thread of its own costs two switches of threads a request.)
//!
//! Invariant: a statement is sent once. The driver connects again by itself where a connection broke, but sends nothing
//! again on it except a statement that the server said it has not prepared, which is a promise that it did not run.

use super::codes;
use super::config::Config;
use crate::Unusable;
use history::{Consistency, Stamp};
use scylla::client::PoolSize;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{ExecutionError, NewSessionError};
use scylla::policies::load_balancing::{
    LoadBalancingPolicy, NodeIdentifier, SingleTargetLoadBalancingPolicy,
};
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency as Wire, SerialConsistency};
use scylla::value::{CqlValue, Row};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The driver looks at the cluster by itself this seldom: never in a run.
const NEVER: Duration = Duration::from_secs(1_000_000);
/// Questions besides the visits may take this long; making an index does.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a request came to; a failure is some hundred bytes.
pub(super) type Asked<T> = Result<T, Box<ExecutionError>>;

pub(super) struct Client {
    // First, so that its tasks end while there is a loop.
    session: Session,
    runtime: Runtime,
    /// One policy a node, in the order of their addresses: it goes there and nowhere else.
    nodes: Vec<Arc<dyn LoadBalancingPolicy>>,
    consistency: Consistency,
    /// What a read is asked at that sees lightweight transactions.
    serial: Wire,
}

impl Client {
    /// Connects to every node, or only to `through` in place of the contact points.
    pub(super) fn connect(
        config: &Config,
        keyspace: Option<&str>,
        through: Option<SocketAddr>,
    ) -> Result<Self, Box<NewSessionError>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("an event loop can be made");
        let serial = if config.words.serial_everywhere {
            SerialConsistency::Serial
        } else {
            SerialConsistency::LocalSerial
        };
        let profile = ExecutionProfile::builder()
            .consistency(wire(config.words.consistency))
            .serial_consistency(Some(serial))
            .request_timeout(Some(PATIENCE))
            .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
            .speculative_execution_policy(None)
            .build();
        let mut builder = SessionBuilder::new()
            .default_execution_profile_handle(profile.into_handle())
            .pool_size(PoolSize::PerHost(NonZeroUsize::MIN))
            .disallow_shard_aware_port(true)
            .fetch_schema_metadata(false)
            .connection_timeout(CONNECT_TIMEOUT)
            .cluster_metadata_refresh_interval(NEVER)
            .schema_agreement_interval(Duration::from_millis(5))
            .write_coalescing(false)
            .tcp_nodelay(true);
        builder = match through {
            Some(proxy) => builder.known_node_addr(proxy),
            None => builder.known_nodes(&config.hosts),
        };
        if let Some((user, password)) = config.credentials() {
            builder = builder.user(user, password);
        }
        if let Some(keyspace) = keyspace {
            builder = builder.use_keyspace(keyspace, true);
        }
        // Nothing runs between requests, so an answer to a keep-alive would be found too late.
        builder.config.keepalive_interval = None;
        let session = runtime.block_on(builder.build())?;
        let state = session.get_cluster_state();
        let mut nodes: Vec<_> = state
            .get_nodes_info()
            .iter()
            .map(|n| (n.address.ip(), n.host_id))
            .collect();
        nodes.sort_unstable();
        let nodes = nodes
            .into_iter()
            .map(|(_, host)| SingleTargetLoadBalancingPolicy::new(NodeIdentifier::HostId(host), None))
            .collect();
        Ok(Self {
            session,
            runtime,
            nodes,
            consistency: config.words.consistency,
            serial: if config.words.serial_everywhere {
                Wire::Serial
            } else {
                Wire::LocalSerial
            },
        })
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn node(&self, stamp: Option<&Stamp>) -> Arc<dyn LoadBalancingPolicy> {
        let index = stamp.map_or(0, |s| usize::from(s.node)) % self.nodes.len();
        Arc::clone(&self.nodes[index])
    }

    /// A read sees lightweight transactions at the serial level; a write of one is committed at a common one.
    fn level(&self, stamp: Option<&Stamp>) -> Wire {
        match stamp {
            None => wire(self.consistency),
            Some(stamp) => match stamp.consistency {
                Consistency::Serial if stamp.condition.is_none() => self.serial,
                Consistency::Serial => Wire::Quorum,
                level => wire(level),
            },
        }
    }

    /// Makes a text known to the server.
    pub(super) fn prepare(&self, text: &str) -> Asked<PreparedStatement> {
        let prepared = self.runtime.block_on(self.session.prepare(text));
        prepared.map_err(|e| Box::new(ExecutionError::PrepareError(e)))
    }

    /// One page of a statement, from `at` on.
    pub(super) fn page(
        &self,
        statement: &mut PreparedStatement,
        stamp: Option<&Stamp>,
        values: impl SerializeRow,
        rows: Option<u32>,
        at: PagingState,
        deadline: Duration,
    ) -> Asked<(QueryResult, PagingStateResponse)> {
        statement.set_load_balancing_policy(Some(self.node(stamp)));
        statement.set_consistency(self.level(stamp));
        statement.set_request_timeout(Some(deadline));
        let Some(rows) = rows else {
            let whole = self.session.execute_unpaged(statement, values);
            return Ok((self.runtime.block_on(whole)?, PagingStateResponse::NoMorePages));
        };
        statement.set_page_size(i32::try_from(rows.max(1)).unwrap_or(i32::MAX));
        let page = self.session.execute_single_page(statement, values, at);
        Ok(self.runtime.block_on(page)?)
    }

    /// Several writes as one message, of a kind by its number in [`BATCHES`](crate::dialect::cql::BATCHES).
    pub(super) fn batch<V: SerializeRow>(
        &self,
        kind: usize,
        statements: Vec<PreparedStatement>,
        stamp: Option<&Stamp>,
        values: Vec<V>,
        deadline: Duration,
    ) -> Asked<QueryResult> {
        let kind = [BatchType::Logged, BatchType::Unlogged, BatchType::Counter][kind];
        let statements = statements
            .into_iter()
            .map(BatchStatement::PreparedStatement)
            .collect();
        let mut batch = Batch::new_with_statements(kind, statements);
        batch.set_load_balancing_policy(Some(self.node(stamp)));
        batch.set_consistency(self.level(stamp));
        batch.set_request_timeout(Some(deadline));
        Ok(self.runtime.block_on(self.session.batch(&batch, values))?)
    }

    /// A question besides the visits; every value as text, NULL as "".
    pub(super) fn ask(&self, cql: &str) -> Asked<Vec<Vec<String>>> {
        let result = self.runtime.block_on(self.session.query_unpaged(cql, ()))?;
        let Ok(rows) = result.into_rows_result() else {
            return Ok(Vec::new());
        };
        let rows = rows.rows::<Row>().expect("a row of anything reads every row");
        let shown = |value: Option<CqlValue>| match value {
            None => String::new(),
            Some(CqlValue::Text(text) | CqlValue::Ascii(text)) => text,
            Some(other) => other.to_string(),
        };
        Ok(rows
            .flatten()
            .map(|row| row.columns.into_iter().map(shown).collect())
            .collect())
    }
}

fn wire(level: Consistency) -> Wire {
    match level {
        Consistency::One => Wire::One,
        Consistency::Two => Wire::Two,
        Consistency::Three => Wire::Three,
        Consistency::Quorum => Wire::Quorum,
        Consistency::All => Wire::All,
        Consistency::LocalOne => Wire::LocalOne,
        Consistency::LocalQuorum => Wire::LocalQuorum,
        Consistency::Serial => Wire::Serial,
    }
}

/// A server that cannot be connected to.
pub(super) fn unusable(place: &str, error: &NewSessionError) -> Unusable {
    let (what, remedy) = codes::complaint(error);
    Unusable::server(place, what, remedy)
}
