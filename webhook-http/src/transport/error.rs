//! What went wrong, told apart by looking through the errors of the libraries.

use std::{error::Error, future::Future, io};

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerMisbehaved};
use tokio::time::{Instant, timeout_at};
use webhook_core::transport::{Phase, TlsFailure, TransportError, TransportErrorKind};

use super::metered_stream::{LeadingEmptyLines, ResponseTooLong};

/// Lets `step` run until `deadline`; past it, the time ran out in `phase`.
pub(super) async fn within<T>(
    deadline: Instant,
    phase: Phase,
    step: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    timeout_at(deadline, step)
        .await
        .unwrap_or_else(|_| Err(TransportError::new(TransportErrorKind::Timeout(phase))))
}

/// An I/O error while looking for a way to the receiver: `kind`, unless it is our own fault.
pub(super) fn io_error(kind: TransportErrorKind, error: io::Error) -> TransportError {
    let kind = if is_exhaustion(&error) { TransportErrorKind::Local } else { kind };
    TransportError::because(kind, error)
}

/// An I/O error during the TLS handshake.
pub(super) fn handshake_error(error: io::Error) -> TransportError {
    let kind = match find::<rustls::Error>(&error) {
        Some(reason) => TransportErrorKind::Tls(tls_failure(reason)),
        None => TransportErrorKind::Tls(TlsFailure::Other),
    };
    io_error(kind, error)
}

/// How far an exchange had come when its connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The phase it was in.
    pub(super) phase: Phase,
    /// Whether an earlier exchange had used the connection.
    pub(super) reused: bool,
    /// Whether a byte of the answer had arrived.
    pub(super) answered: bool,
}

/// An error of hyper while waiting for the response head.
pub(super) fn exchange_error(error: hyper::Error, progress: Progress) -> TransportError {
    TransportError::because(exchange_error_kind(&error, progress), error)
}

fn exchange_error_kind(error: &hyper::Error, progress: Progress) -> TransportErrorKind {
    // In TLS 1.3 a receiver refuses our (absent) certificate only after the handshake.
    if let Some(reason) = find::<rustls::Error>(error) {
        return TransportErrorKind::Tls(tls_failure(reason));
    }
    if find::<ResponseTooLong>(error).is_some() || find::<LeadingEmptyLines>(error).is_some() {
        return TransportErrorKind::Protocol;
    }
    if find::<io::Error>(error).is_some_and(is_exhaustion) {
        TransportErrorKind::Local
    } else if error.is_parse() {
        TransportErrorKind::Protocol
    } else if error.is_user() {
        TransportErrorKind::Other
    } else if progress.reused && !progress.answered {
        TransportErrorKind::StaleConnection
    } else {
        TransportErrorKind::Interrupted(progress.phase)
    }
}

fn tls_failure(error: &rustls::Error) -> TlsFailure {
    match error {
        rustls::Error::InvalidCertificate(reason) => certificate_failure(reason),
        rustls::Error::PeerIncompatible(_)
        // One that has no other, and does not ask what we have.
        | rustls::Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite) => {
            TlsFailure::NoCommonCipher
        }
        rustls::Error::AlertReceived(alert) => alert_failure(*alert),
        rustls::Error::NoApplicationProtocol => TlsFailure::NoCommonProtocol,
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => TlsFailure::NotTls,
        _ => TlsFailure::Other,
    }
}

/// What the receiver says before it hangs up.
const fn alert_failure(alert: AlertDescription) -> TlsFailure {
    use AlertDescription as Alert;
    match alert {
        Alert::HandshakeFailure | Alert::InsufficientSecurity | Alert::ProtocolVersion => {
            TlsFailure::NoCommonCipher
        }
        Alert::NoApplicationProtocol => TlsFailure::NoCommonProtocol,
        Alert::CertificateRequired | Alert::NoCertificate => TlsFailure::ClientCertificateRequired,
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => TlsFailure::ClientCertificateRefused,
        _ => TlsFailure::Other,
    }
}

fn certificate_failure(error: &CertificateError) -> TlsFailure {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::UnknownIssuer => TlsFailure::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::NameMismatch
        }
        // An authority's certificate shown as a receiver's own: self-signed, as openssl makes them.
        // The library that says so is not ours to name, but its word is.
        CertificateError::Other(reason) if reason.to_string().contains("CaUsedAsEndEntity") => {
            TlsFailure::UnknownIssuer
        }
        _ => TlsFailure::Other,
    }
}

/// This process or machine has run out of file descriptors or memory.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    /// ENFILE and EMFILE, the same on every Unix; WSAEMFILE of Windows.
    const TOO_MANY_FILES: &[i32] = if cfg!(windows) { &[10024] } else { &[23, 24] };
    error.kind() == io::ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

/// The first error of this type in the chain. An `io::Error` hides the one it carries from
/// `source`, so it is opened.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::PeerIncompatible;

    #[test]
    fn every_tls_failure_is_found_inside_the_error_that_carries_it() {
        use CertificateError as Certificate;
        let certificate = rustls::Error::InvalidCertificate;
        let table = [
            (certificate(Certificate::Expired), TlsFailure::Expired),
            (certificate(Certificate::NotValidYet), TlsFailure::NotYetValid),
            (certificate(Certificate::UnknownIssuer), TlsFailure::UnknownIssuer),
            (certificate(Certificate::NotValidForName), TlsFailure::NameMismatch),
            (certificate(Certificate::BadSignature), TlsFailure::Other),
            (PeerIncompatible::NoCipherSuitesInCommon.into(), TlsFailure::NoCommonCipher),
            (PeerMisbehaved::SelectedUnofferedCipherSuite.into(), TlsFailure::NoCommonCipher),
            (
                rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
                TlsFailure::NoCommonCipher,
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
                TlsFailure::NoCommonCipher,
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
                TlsFailure::ClientCertificateRequired,
            ),
            (rustls::Error::AlertReceived(AlertDescription::InternalError), TlsFailure::Other),
            (InvalidMessage::InvalidContentType.into(), TlsFailure::NotTls),
            (rustls::Error::NoApplicationProtocol, TlsFailure::NoCommonProtocol),
            (
                rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol),
                TlsFailure::NoCommonProtocol,
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::UnknownCA),
                TlsFailure::ClientCertificateRefused,
            ),
        ];
        for (error, expected) in table {
            let text = error.to_string();
            let carried = io::Error::new(io::ErrorKind::InvalidData, error);
            let kind = handshake_error(io::Error::other(carried)).kind();
            assert_eq!(kind, TransportErrorKind::Tls(expected), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn running_out_of_descriptors_is_our_own_fault() {
        for (code, expected) in [
            (23, TransportErrorKind::Local),
            (24, TransportErrorKind::Local),
            (111, TransportErrorKind::Connect),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(io_error(TransportErrorKind::Connect, error).kind(), expected, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_never_ends_runs_out_of_time_in_its_phase() {
        let deadline = Instant::now() + std::time::Duration::from_secs(1);
        let step = std::future::pending::<Result<(), TransportError>>();
        let error = within(deadline, Phase::Resolve, step).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Timeout(Phase::Resolve));
    }
}
