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

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, stdin},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use webhook_testkit::{read_head, read_more};

use crate::{
    Outcome,
    child::signal,
    flags::Flags,
    ledger::{Ledger, Scribe, word},
    point::Point,
    worker::SENDER,
};

pub(crate) const ROLE: &str = "receiver";

/// Bytes that are read in one piece.
const MAX_READ_BYTES: u64 = 4096;

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
        let mut buffer = BytesMut::new();
        while let Ok(request) = read_head(&mut stream, &mut buffer, 0).await {
            let header = |name: &str| {
                request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-")
            };
            let event = header("webhook-id");
            while buffer.len() < request.body_len() {
                // Little at a time, so that there is a middle.
                read_more(&mut (&mut stream).take(MAX_READ_BYTES), &mut buffer).await?;
                let in_the_middle = !buffer.is_empty() && buffer.len() < request.body_len();
                if in_the_middle && self.strikes(Point::MidBody, event).await {
                    return Ok(());
                }
            }
            buffer.advance(request.body_len());
            self.scribe.note(word::RECEIVED, &format!("{event} {}", header(SENDER))).await;
            if self.strikes(Point::Sent, event).await {
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
