//! The receiver: a process that answers by path and notes when each event arrived.
//!
//! `/dead` is never answered, `/slow` after five seconds, all else at once. It prints its port, and when
//! its standard input ends, what it has seen.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    Failure,
    latency::{Latency, Samples, now},
};

/// How long `/slow` takes.
pub(crate) const SLOW: Duration = Duration::from_secs(5);

/// The role of the child process.
pub(crate) async fn listen() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let samples = Arc::new(Mutex::new(Samples::default()));
    let seen = samples.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, seen.clone()));
        }
    });
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    let samples = std::mem::take(&mut *samples.lock().unwrap_or_else(PoisonError::into_inner));
    println!("{}", serde_json::to_string(&samples.sum_up())?);
    Ok(())
}

async fn serve(mut stream: TcpStream, samples: Arc<Mutex<Samples>>) {
    let mut bytes = Vec::new();
    while let Some((path, body)) = next_request(&mut stream, &mut bytes).await {
        let class = path.split('/').nth(1).unwrap_or_default();
        if let Some(at) = published_at(&body) {
            let took = now().saturating_sub(at);
            samples.lock().unwrap_or_else(PoisonError::into_inner).add(class, took);
        }
        match class {
            "dead" => std::future::pending().await,
            "slow" => tokio::time::sleep(SLOW).await,
            _ => {}
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}

/// Path and body of the next request on a connection, until it ends.
async fn next_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some((path, from, to)) = whole(bytes) {
            let body = bytes.get(from..to)?.to_vec();
            bytes.drain(..to);
            return Some((path, body));
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The path of a request that is there whole, and where its body begins and ends.
fn whole(bytes: &[u8]) -> Option<(String, usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).ok()? else { return None };
    let length = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"))?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    let end = head.checked_add(length)?;
    (bytes.len() >= end).then(|| (request.path.unwrap_or_default().to_owned(), head, end))
}

/// When the event was published, as its body says; nothing for those of a backlog.
fn published_at(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(body).ok()?.get("at")?.as_u64()
}

/// A receiver at work.
pub(crate) struct Receiver {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("receiver").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut line = String::new();
        output.read_line(&mut line).await?;
        Ok(Self { child, input, output, port: line.trim().parse()? })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Stops it and answers what it has seen.
    pub(crate) async fn stop(mut self) -> Result<BTreeMap<String, Latency>, Failure> {
        drop(self.input);
        let mut line = String::new();
        self.output.read_line(&mut line).await?;
        self.child.wait().await?;
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_once_it_is_whole() {
        let request = b"POST /healthy/7 HTTP/1.1\r\nContent-Length: 8\r\n\r\n{\"at\":5}";
        assert_eq!(whole(&request[..request.len() - 1]), None);
        let (path, from, to) = whole(request).unwrap();
        assert_eq!((path.as_str(), to), ("/healthy/7", request.len()));
        assert_eq!(published_at(&request[from..to]), Some(5));
        assert_eq!(published_at(b"{}"), None);
    }
}
