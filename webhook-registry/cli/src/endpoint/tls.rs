//! What is said of an endpoint's connections: who we are there, and whom we trust.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use webhook_registry::{
    ClientIdentity, EndpointTls, NewEndpoint,
    error::{EndpointError, InvalidTls},
};

use crate::error::Error;

/// Files, so that no key stands in a list of processes.
#[derive(Args, Debug)]
pub(super) struct TlsArgs {
    /// A file with the client certificate that its requests carry, and those that lead to its root;
    /// PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// A file with the private key of that certificate; PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// A file with the roots to trust at this endpoint, in place of all others; PEM
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
}

impl TlsArgs {
    pub(super) fn add_to(self, mut new: NewEndpoint) -> Result<NewEndpoint, Error> {
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            new = new.client_certificate(read(certificate)?, read(key)?);
        }
        match &self.roots {
            Some(roots) => Ok(new.root_certificates(read(roots)?)),
            None => Ok(new),
        }
    }

    /// What is said takes the place of what there is.
    pub(super) fn apply_to(self, mut tls: EndpointTls) -> Result<EndpointTls, Error> {
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            let identity = ClientIdentity::from_pem(read(certificate)?, read(key)?);
            tls = tls.with_identity(identity.map_err(invalid)?);
        }
        match &self.roots {
            Some(roots) => tls.with_roots_pem(read(roots)?).map_err(invalid),
            None => Ok(tls),
        }
    }
}

fn read(file: &Path) -> Result<String, Error> {
    let what = || file.display().to_string();
    fs::read_to_string(file).map_err(|source| Error::Read { what: what(), source })
}

fn invalid(error: InvalidTls) -> Error {
    EndpointError::Invalid(error.into()).into()
}
