//! A name server that answers by script: UDP, and TCP where an answer is long.
//!
//! RFC 1035, as far as questions for addresses need it.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinHandle,
};

/// What it answers to the two questions of one look-up.
#[derive(Clone, Debug, Default)]
pub(crate) struct DnsAnswer {
    /// Addresses of both kinds; each question gets its own.
    pub(crate) addresses: Vec<IpAddr>,
    /// Another name that this one stands for.
    pub(crate) alias: Option<String>,
    /// RFC 1035, section 4.1.1: 2 is a server that failed, 3 a name that does not exist.
    pub(crate) code: u8,
    /// Says nothing at all.
    pub(crate) silent: bool,
}

/// The script, and what was asked.
#[derive(Default)]
struct Said {
    answers: Mutex<VecDeque<DnsAnswer>>,
    /// Names, as often as an IPv4 address was asked for.
    asked: Mutex<Vec<String>>,
}

pub(crate) struct NameServer {
    addr: SocketAddr,
    error_text: Arc<Said>,
    serving: Vec<JoinHandle<()>>,
}

impl NameServer {
    /// Answers one look-up after the other by the script; the last answer stays.
    pub(crate) async fn answering(script: impl IntoIterator<Item = DnsAnswer>) -> Self {
        let error_text = Arc::new(Said::default());
        error_text.answers.lock().unwrap().extend(script);
        // Both kinds of socket have to be at one port.
        loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let addr = tcp.local_addr().expect("it is bound");
            let Ok(udp) = UdpSocket::bind(addr).await else { continue };
            let serving = vec![
                tokio::spawn(serve_udp(udp, Arc::clone(&error_text))),
                tokio::spawn(serve_tcp(tcp, Arc::clone(&error_text))),
            ];
            return Self { addr, error_text, serving };
        }
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The names that were asked for, each as often as it was.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.error_text.asked.lock().unwrap().clone()
    }

    /// Takes the next answer of the script, as if somebody else had looked the name up.
    pub(crate) fn skip(&self) {
        self.error_text.answers.lock().unwrap().pop_front();
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// The longest answer by UDP (RFC 1035, section 4.2.1).
const MAX_UDP: usize = 512;

async fn serve_udp(socket: UdpSocket, error_text: Arc<Said>) {
    let mut buffer = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
        let Some(reply) = error_text.reply(&buffer[..len], MAX_UDP) else { continue };
        let _ = socket.send_to(&reply, from).await;
    }
}

async fn serve_tcp(listener: TcpListener, error_text: Arc<Said>) {
    while let Ok((stream, _)) = listener.accept().await {
        let error_text = Arc::clone(&error_text);
        tokio::spawn(async move { answer_on(stream, &error_text).await });
    }
}

async fn answer_on(mut stream: TcpStream, error_text: &Said) -> Option<()> {
    loop {
        let mut question = vec![0; stream.read_u16().await.ok()?.into()];
        stream.read_exact(&mut question).await.ok()?;
        let reply = error_text.reply(&question, usize::MAX)?;
        stream.write_u16(u16::try_from(reply.len()).ok()?).await.ok()?;
        stream.write_all(&reply).await.ok()?;
    }
}

impl Said {
    /// The answer to the message `query`; what does not fit into `most` bytes is left out, and said to be.
    fn reply(&self, query: &[u8], most: usize) -> Option<Vec<u8>> {
        let (name, end) = read_name(query, 12)?;
        let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
        let answer = self.next(kind, &name);
        if answer.silent {
            return None;
        }
        let mut records = Vec::new();
        let mut owner = name;
        if let Some(alias) = answer.alias {
            records.push(record(&owner, CNAME, &spell(&alias)));
            owner = alias;
        }
        for address in &answer.addresses {
            match (kind, address) {
                (A, IpAddr::V4(v4)) => records.push(record(&owner, A, &v4.octets())),
                (AAAA, IpAddr::V6(v6)) => records.push(record(&owner, AAAA, &v6.octets())),
                _ => {}
            }
        }
        let question = query.get(12..end + 4)?;
        let whole = message(query, question, answer.code, &records, false);
        let fits = whole.len() <= most;
        Some(if fits { whole } else { message(query, question, answer.code, &[], true) })
    }

    /// Both questions of a look-up get parts of one answer: that for IPv4 comes first, and takes it.
    fn next(&self, kind: u16, name: &str) -> DnsAnswer {
        let mut answers = self.answers.lock().unwrap();
        if kind != A {
            return answers.front().cloned().unwrap_or_default();
        }
        self.asked.lock().unwrap().push(name.to_owned());
        let next = answers.front().cloned().unwrap_or_default();
        if answers.len() > 1 {
            answers.pop_front();
        }
        next
    }
}

fn message(query: &[u8], question: &[u8], code: u8, records: &[Vec<u8>], cut: bool) -> Vec<u8> {
    /// An answer, by one who knows, as it was asked: recursively, and available.
    const FLAGS: u16 = 0b1000_0101_1000_0000;
    const CUT: u16 = 0b0000_0010_0000_0000;
    let flags = FLAGS | if cut { CUT } else { 0 } | u16::from(code);
    let mut out = query.get(..2).unwrap_or_default().to_vec();
    let counts = [flags, 1, records.len() as u16, 0, 0];
    out.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    out.extend_from_slice(question);
    out.extend(records.concat());
    out
}

/// A record that nobody may keep: its time to live is 0.
fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = spell(owner);
    out.extend(kind.to_be_bytes());
    out.extend([0, 1, 0, 0, 0, 0]);
    out.extend((data.len() as u16).to_be_bytes());
    out.extend_from_slice(data);
    out
}

/// A name as messages have it: each label behind its length.
fn spell(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

/// The name that begins there, and where it ends.
fn read_name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let len = usize::from(*message.get(at)?);
        at += 1;
        if len == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + len)?).into_owned());
        at += len;
    }
}
