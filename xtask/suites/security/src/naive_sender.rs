//! A naive sender: the subject of a case without the guard.
//!
//! It follows every redirect, takes any status below 400 for success, and believes the first length.
//! It keeps every connection and every cookie, unpacks compressed bodies, and sends again
//! immediately if there is no response. It has no bounds: a case stops it after 8 MiB, or after one
//! second of waiting.

mod connection;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use url::Url;
use webhook_testkit::Reply;

use crate::{
    fixture::{Fixture, LATE_BYTES_WAIT, OWN},
    script::Script,
};
pub(crate) use connection::NaiveAnswer;
use connection::{NaiveConnection, Trouble};

/// Number of attempts.
const TRIES: usize = 3;

/// State that it keeps between requests.
#[derive(Default)]
pub(crate) struct NaiveSender {
    kept: Option<(String, NaiveConnection)>,
    cookies: Vec<String>,
}

/// A request.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) url: String,
    /// Names and values, written as they are.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Bytes,
}

/// Result of a delivery.
pub(crate) enum Took {
    /// A response that it takes for success.
    Success(NaiveAnswer),
    /// The wait that the response asks for.
    Sleeps(Duration),
    /// All attempts without success; the last response.
    GivesUp(Option<NaiveAnswer>),
    /// Stopped by the case, or by an error.
    Stopped(Trouble),
}

impl NaiveSender {
    pub(crate) async fn deliver(&mut self, post: &Post) -> Took {
        let (mut post, mut last) = (post.clone(), None);
        for _ in 0..TRIES {
            let answer = match self.exchange(&post).await {
                Ok(answer) => answer,
                Err(Trouble::Ended) => continue,
                Err(trouble) => return Took::Stopped(trouble),
            };
            self.cookies.extend(answer.header("set-cookie").map(str::to_owned));
            if let Some(place) = answer.header("location") {
                post.url = place.to_owned();
            } else if answer.status.is_none_or(|status| status < 400) {
                return Took::Success(answer);
            } else if let Some(wait) = answer.header("retry-after") {
                return sleeps(wait);
            }
            last = Some(answer);
        }
        Took::GivesUp(last)
    }

    async fn exchange(&mut self, post: &Post) -> Result<NaiveAnswer, Trouble> {
        let url = Url::parse(&post.url).map_err(|_| Trouble::Crashes("the URL is none"))?;
        let origin = url.origin().ascii_serialization();
        let mut line = match self.kept.take() {
            Some((kept, line)) if kept == origin => line,
            _ => NaiveConnection::open(&url).await?,
        };
        line.write(&self.head(&url, post)).await?;
        line.write(&post.body).await?;
        let answer = line.answer().await?;
        self.kept = Some((origin, line));
        Ok(answer)
    }

    fn head(&self, url: &Url, post: &Post) -> Vec<u8> {
        let lines = own_lines(url, post.body.len()).join("\r\n") + "\r\n";
        let mut head = lines.into_bytes();
        for (name, value) in &post.headers {
            head.extend_from_slice(&[name, &b": "[..], value, b"\r\n"].concat());
        }
        for cookie in &self.cookies {
            head.extend_from_slice(format!("Cookie: {cookie}\r\n").as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// What each of its requests begins with.
pub(crate) fn own_lines(url: &Url, length: usize) -> [String; 3] {
    let at = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let request = format!("POST {} HTTP/1.1", url.path());
    [request, format!("Host: {at}"), format!("Content-Length: {length}")]
}

/// By floating point, as it comes.
fn sleeps(asked: &str) -> Took {
    let seconds = asked.trim().parse::<f64>().map_err(|_| "the wait is no number");
    let wait = seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| "no such duration"));
    wait.map_or_else(|why| Took::Stopped(Trouble::Crashes(why)), Took::Sleeps)
}

/// The whole of it with this sender: the exchange of `spelled`, and the one after it.
pub(crate) async fn unguarded(spelled: &str) -> String {
    let fixture = Fixture::set(Script::read(spelled)).await;
    let mut naive = NaiveSender::default();
    let post = Post::of(&fixture, "/first");
    let took = naive.deliver(&post).await;
    let outcome_text = outcome_text(&took, &fixture);
    if !matches!(took, Took::Success(_)) {
        return outcome_text;
    }
    sleep(LATE_BYTES_WAIT).await;
    fixture.receiver.answers([Reply::status(200).body(OWN)]);
    outcome_text
        + &match naive.deliver(&Post { body: "{}".into(), ..Post::of(&fixture, "/next") }).await {
            Took::Success(answer) if answer.body == OWN.as_bytes() => String::new(),
            Took::Success(answer) if answer.body.is_empty() => {
                format!("; the next gets {}", status(&answer))
            }
            Took::Success(answer) => {
                format!("; the next gets \"{}\"", answer.body.escape_ascii())
            }
            Took::Stopped(trouble) => format!("; the next {trouble}"),
            Took::GivesUp(_) => "; the next gets no answer".to_owned(),
            Took::Sleeps(_) => "; the next sleeps".to_owned(),
        }
}

/// What it came to, in words.
pub(crate) fn outcome_text(took: &Took, fixture: &Fixture) -> String {
    match took {
        Took::Success(answer) => format!("takes {} for success", status(answer)) + &odd(answer),
        Took::Sleeps(wait) => format!("sleeps {wait:?}"),
        Took::GivesUp(_) => {
            let receiver = &fixture.receiver;
            format!("sends it {} times", receiver.connections().max(receiver.requests().len()))
        }
        Took::Stopped(trouble) => trouble.to_string(),
    }
}

fn status(answer: &NaiveAnswer) -> String {
    answer.status.map_or_else(|| "it".to_owned(), |status| format!("status {status}"))
}

/// What nobody needs so much of.
fn odd(answer: &NaiveAnswer) -> String {
    match (answer.headers.len(), answer.head_bytes) {
        (headers @ 101.., _) => format!(", with {headers} headers"),
        (_, bytes @ 65_536..) => format!(", with a head of {bytes} bytes"),
        _ => String::new(),
    }
}

impl Post {
    pub(crate) fn of(fixture: &Fixture, path: &str) -> Self {
        Self { url: fixture.url(path), headers: Vec::new(), body: fixture.script.body.clone() }
    }
}
