//! G: TLS. Receivers are real, with certificates made for the case or with bytes of their own.

mod authority;
mod identities;
mod receiver;
mod renegotiation;
mod server_name;
mod subjects;

use std::sync::Arc;

use rcgen::date_time_ymd;
use rustls::{
    ALL_VERSIONS, ServerConfig, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};

use crate::{ids::Id, literal};
use authority::{Authority, Shown};
use receiver::Speech;

/// Who the receivers are to us.
const HERE: &str = "127.0.0.1";

pub(crate) async fn play(id: Id, input: &str) -> String {
    let ours = Authority::new("ours");
    match id.number {
        1..=8 => with_certificate(&ours, &certificate(&ours, id.number, input)).await,
        9..=12 => against(&ours, Speech::Says(literal::bytes(input))).await,
        13 => against(&ours, Speech::Tls(ours.wanting_certificates(version(input)))).await,
        14 => against(&ours, Speech::Tls(speaking_only(&ours, input))).await,
        15 => server_name::play(&ours, input).await,
        16 => {
            let server = renegotiation::server(&ours.certificate(HERE, |_| ()));
            against(&ours, Speech::AsksAgain(server, literal::bytes(input))).await
        }
        17 => identities::kept(&ours, input).await,
        _ => identities::resumed(&ours, version(input)).await,
    }
}

/// What the receiver of a case shows.
fn certificate(ours: &Authority, number: u32, input: &str) -> Shown {
    match number {
        1 | 2 => {
            let (from, to) = input.split_once(" to ").expect("two days");
            let day = |day: &str| {
                let parts: Vec<i32> = day.split('-').filter_map(|part| part.parse().ok()).collect();
                let small = |at: usize| u8::try_from(parts[at]).expect("a month or a day");
                date_time_ymd(parts[0], small(1), small(2))
            };
            ours.certificate(HERE, |params| {
                (params.not_before, params.not_after) = (day(from), day(to));
            })
        }
        3 => authority::self_signed(input, false),
        4 => ours.certificate(input, |_| ()),
        5 => Authority::new(input.trim_start_matches("CN=")).certificate(HERE, |_| ()),
        6 => ours.nameless(input.trim_start_matches("CN=")),
        7 => ours.behind(input.parse().expect("a number"), HERE),
        _ if input == "[]" => ours.certificate(HERE, |_| ()).without_certificates(),
        _ => authority::self_signed(HERE, true),
    }
}

async fn with_certificate(ours: &Authority, shown: &Shown) -> String {
    subjects::guarded(ours, Speech::Tls(shown.server(ALL_VERSIONS)), Some(shown)).await
}

async fn against(ours: &Authority, speech: Speech) -> String {
    subjects::guarded(ours, speech, None).await
}

/// A server with a good certificate that knows no protocol but this one.
fn speaking_only(ours: &Authority, protocol: &str) -> Arc<ServerConfig> {
    let server = ours.certificate(HERE, |_| ()).server(ALL_VERSIONS);
    let mut server = Arc::unwrap_or_clone(server);
    server.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    server.into()
}

fn version(text: &str) -> &'static SupportedProtocolVersion {
    match text {
        "TLS 1.2" => &TLS12,
        "TLS 1.3" => &TLS13,
        _ => panic!("`{text}` is no version of TLS that anybody speaks"),
    }
}
