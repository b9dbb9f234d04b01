//! The door of a node, asked by the test itself: many questions without a process for each.

use api::{ApiError, Client, KnownTask, NodeApi, Submission, client::Connect};
use bytes::Bytes;
use cli::data::DataDir;
use futures::StreamExt;
use identity::Signed;
use objects::Cid;
use protocol::{
    Height, Job, JobEvent, JobId, Receipt, TaskIndex, TaskKey,
    port::{Answer, Stream},
};
use std::{
    future::Future,
    io::{self, Read, Write},
    path::Path,
};
use tokio::{net::TcpStream, runtime};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Where a directory says that its node is.
struct Tcp(DataDir);

impl Connect for Tcp {
    fn connect(&self) -> Answer<'static, io::Result<Stream>> {
        let data = self.0.clone();
        Box::pin(async move {
            let place = data.api().map_err(io::Error::other)?;
            let place = place.ok_or(io::ErrorKind::NotConnected)?;
            let stream = TcpStream::connect(place.addr).await?;
            Ok(Box::new(stream.compat()) as Stream)
        })
    }
}

/// What the node in a directory tells Prometheus.
pub fn metrics(data: &Path) -> String {
    let place = DataDir::at(data).api().unwrap().expect("the node says where it is");
    let mut stream = std::net::TcpStream::connect(place.addr).unwrap();
    let (addr, token) = (place.addr, place.token.to_string());
    let head = "GET /metrics HTTP/1.1\r\nconnection: close\r\n";
    write!(stream, "{head}host: {addr}\r\nauthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The door of the node in one directory.
pub struct Door {
    runtime: runtime::Runtime,
    client: Client<Tcp>,
}

impl Door {
    /// The node must have been up: then there is a token.
    pub fn of(data: &Path) -> Self {
        let data = DataDir::at(data);
        let place = data.api().unwrap().expect("the node says where it is");
        let client = Client::new(Tcp(data), place.addr.to_string(), place.token.to_string());
        Self {
            runtime: runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            client,
        }
    }

    fn ask<T>(&self, reply: impl Future<Output = Result<T, ApiError>>) -> T {
        self.runtime.block_on(reply).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The last final block here.
    pub fn head(&self) -> Height {
        self.ask(self.client.head()).height
    }

    /// A final block.
    pub fn block(&self, height: Height) -> api::FinalBlock {
        self.ask(self.client.block(height))
    }

    /// A block that the node has, or gets.
    pub fn blob(&self, cid: Cid) -> Bytes {
        self.ask(self.client.blob(cid))
    }

    /// All jobs of this home.
    pub fn jobs(&self) -> Vec<api::JobSummary> {
        self.ask(self.client.jobs())
    }

    /// Orders a job whose content is at its home already.
    pub fn submit(&self, order: Signed<Job>) {
        let blobs = api::blobs_of(Vec::new());
        // What happens to it is asked for later.
        drop(self.ask(self.client.submit(Submission { order, after: Vec::new(), blobs })));
    }

    /// Orders a job with its content, held until others have ended well.
    pub fn hand_in(&self, order: Signed<Job>, after: Vec<JobId>, blobs: Vec<(Cid, Bytes)>) {
        let blobs = api::blobs_of(blobs);
        drop(self.ask(self.client.submit(Submission { order, after, blobs })));
    }

    /// Orders a job with its content, to be held for others.
    ///
    /// # Errors
    /// What the node says.
    pub fn hold(
        &self,
        order: Signed<Job>,
        after: Vec<JobId>,
        blobs: Vec<(Cid, Bytes)>,
    ) -> Result<(), ApiError> {
        let submission = Submission { order, after, blobs: api::blobs_of(blobs) };
        self.runtime.block_on(self.client.submit(submission)).map(drop)
    }

    /// What happened to a job, until enough was heard, or nothing more comes.
    pub fn hear(&self, job: JobId, mut is_enough: impl FnMut(&JobEvent) -> bool) -> Vec<JobEvent> {
        self.ask(async {
            let mut events = self.client.events(job).await?;
            let mut heard = Vec::new();
            while let Some(event) = events.next().await {
                heard.push(event?);
                if heard.last().is_some_and(&mut is_enough) {
                    break;
                }
            }
            Ok(heard)
        })
    }

    /// Where results are that are known.
    pub fn known(&self, keys: &[TaskKey]) -> Vec<Option<KnownTask>> {
        self.ask(self.client.known(keys.to_vec()))
    }

    /// A job and some of its tasks.
    pub fn job(&self, job: JobId) -> api::JobDetail {
        self.ask(self.client.job(job, TaskIndex(0)))
    }

    /// What the node says of itself.
    pub fn status(&self) -> api::Status {
        self.ask(self.client.status())
    }

    /// The receipt of a finished job.
    pub fn receipt(&self, job: JobId) -> Receipt {
        Receipt::decode(&self.ask(self.client.receipt(job))).unwrap()
    }
}
