//! The child that receives, and kills a worker at a point that only a receiver knows.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, stdin},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::{
    Outcome,
    child::signal,
    flags::Flags,
    ledger::{Ledger, Scribe, word},
    point::Point,
    worker::SENDER,
};

pub(crate) const ROLE: &str = "receiver";

struct Receiver {
    scribe: Scribe,
    /// Whom to kill, and where.
    armed: Mutex<Option<(Point, u32)>>,
    /// How long an answer takes, in milliseconds.
    delay: AtomicU64,
    /// The status of its answers.
    status: AtomicU16,
    /// Of a hundred answers so many are 500 instead, at random.
    failing: AtomicU64,
}

/// Answers 200 to everything, unless told otherwise, until its input ends. Its first line names its port.
pub(crate) async fn run(flags: &Flags) -> Outcome {
    let scribe = Scribe::new(Ledger::open(&flags.path("ledger")?)?);
    let (armed, delay, status) = (Mutex::default(), AtomicU64::default(), AtomicU16::new(200));
    let failing = AtomicU64::default();
    let receiver = Arc::new(Receiver { scribe, armed, delay, status, failing });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    tokio::select! {
        end = take_orders(&receiver) => end,
        end = accept(&listener, &receiver) => end,
    }
}

async fn accept(listener: &TcpListener, receiver: &Arc<Receiver>) -> Outcome {
    loop {
        let (stream, _) = listener.accept().await?;
        let receiver = Arc::clone(receiver);
        // Whatever goes wrong on a connection concerns the other side.
        tokio::spawn(async move { receiver.serve(stream).await });
    }
}

/// `arm K4 1234`, `delay 50`, `answer 500` or `fail 20`; each is confirmed by a line.
async fn take_orders(receiver: &Receiver) -> Outcome {
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        match order.split(' ').collect::<Vec<_>>().as_slice() {
            ["arm", point, pid] => *receiver.armed() = Some((point.parse()?, pid.parse()?)),
            ["delay", millis] => receiver.delay.store(millis.parse()?, Ordering::Relaxed),
            ["fail", percent] => receiver.failing.store(percent.parse()?, Ordering::Relaxed),
            ["answer", status] => receiver.status.store(status.parse()?, Ordering::Relaxed),
            _ => return Err(format!("`{order}` is no order").into()),
        }
        println!("done");
    }
    Ok(())
}

/// What a request says in its head.
struct Head {
    event: String,
    sender: String,
    length: usize,
}

impl Receiver {
    fn armed(&self) -> std::sync::MutexGuard<'_, Option<(Point, u32)>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills, if this is the point; says so first.
    async fn strikes(&self, point: Point, event: &str) -> bool {
        let victim = self.armed().take_if(|(armed, _)| *armed == point);
        let Some((_, pid)) = victim else { return false };
        self.scribe.note(word::HIT, &format!("{point} {event}")).await;
        if let Err(error) = signal(pid, "KILL") {
            eprintln!("crash: could not kill {pid}: {error}");
        }
        true
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        if self.strikes(Point::Connected, "-").await {
            return Ok(());
        }
        let mut buffer = Vec::new();
        while let Some(head) = read_head(&mut stream, &mut buffer).await? {
            while buffer.len() < head.length {
                if !read_some(&mut stream, &mut buffer).await? {
                    return Ok(());
                }
                let in_the_middle = !buffer.is_empty() && buffer.len() < head.length;
                if in_the_middle && self.strikes(Point::MidBody, &head.event).await {
                    return Ok(());
                }
            }
            buffer.drain(..head.length);
            let fact = format!("{} {}", head.event, head.sender);
            self.scribe.note(word::RECEIVED, &fact).await;
            if self.strikes(Point::Sent, &head.event).await {
                return Ok(());
            }
            sleep(Duration::from_millis(self.delay.load(Ordering::Relaxed))).await;
            let fails = RandomState::new().hash_one(0) % 100 < self.failing.load(Ordering::Relaxed);
            let status = if fails { 500 } else { self.status.load(Ordering::Relaxed) };
            let answer = format!("HTTP/1.1 {status} As-Told\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }
}

/// Little at a time, so that there is a middle.
async fn read_some(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut some = [0; 4096];
    let read = stream.read(&mut some).await?;
    buffer.extend(some.iter().take(read));
    Ok(read > 0)
}

/// Takes a head off the buffer; `None` at the end of the connection.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Head>> {
    loop {
        let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            return Ok(Some(parse(&String::from_utf8_lossy(&head))));
        }
        if !read_some(stream, buffer).await? {
            return Ok(None);
        }
    }
}

fn parse(head: &str) -> Head {
    let value = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    Head {
        event: value("webhook-id").unwrap_or("-").to_owned(),
        sender: value(SENDER).unwrap_or("-").to_owned(),
        length: value("content-length").and_then(|text| text.parse().ok()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_names_its_event_and_its_length() {
        let head = parse("POST / HTTP/1.1\r\nWebhook-Id: abc\r\ncontent-length: 12\r\n\r\n");
        assert_eq!((&*head.event, head.length), ("abc", 12));
    }
}
