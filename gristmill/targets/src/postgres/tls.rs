//! TLS as libpq's `sslmode` means it, with `rustls`.

use super::config::{Config, Roots, SslMode};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, StreamOwned,
};
use std::net::TcpStream;
use std::sync::Arc;

/// Shakes hands. `Err`: why not, in words.
pub(super) fn client(
    config: &Config,
    host: &str,
    mut stream: TcpStream,
) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(config, &provider)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| format!("{host}: {e}"))?;
    let mut connection = ClientConnection::new(Arc::new(client), name).map_err(|e| e.to_string())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|e| e.to_string())?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// Looks at the server's certificate as much as `sslmode` wants.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None`: anybody's certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Whether the name must fit.
    name: bool,
}

impl Verifier {
    fn new(config: &Config, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let roots = match (&config.roots, config.ssl) {
            (Some(roots), _) => Some(roots.clone()),
            (None, SslMode::VerifyCa | SslMode::VerifyFull) => Some(Roots::Public),
            (None, _) => None,
        };
        let chain = match roots {
            None => None,
            Some(roots) => {
                let store = Arc::new(store(&roots)?);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider)).build();
                Some(verifier.map_err(|e| format!("the root certificates cannot be used: {e}"))?)
            }
        };
        // `sslrootcert=system` is only used with verify-full by libpq; with any other mode it is meant so too.
        let name = config.ssl == SslMode::VerifyFull || config.roots == Some(Roots::Public);
        Ok(Self {
            provider: Arc::clone(provider),
            chain,
            name,
        })
    }
}

fn store(roots: &Roots) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Public => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::File(path) => {
            let shown = path.display();
            let all = CertificateDer::pem_file_iter(path).map_err(|e| format!("{shown}: {e}"))?;
            for certificate in all {
                let certificate = certificate.map_err(|e| format!("{shown}: {e}"))?;
                store.add(certificate).map_err(|e| format!("{shown}: {e}"))?;
            }
            if store.is_empty() {
                return Err(format!("{shown} holds no certificate"));
            }
        }
    }
    Ok(store)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
