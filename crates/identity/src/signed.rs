//! Statements: a payload, who said it, and a signature bound to what it may mean.

use crate::{Batch, Error, NetworkId, PublicKey, SecretKey, Signature, canonical};
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// A noun that can be signed. The domain and the version keep a signature over one kind of
/// statement from being read as another.
pub trait Sign: Serialize {
    /// What kind of statement this is, in lower case, for instance `job`.
    const DOMAIN: &'static str;
    /// The version of the payload's encoding.
    const VERSION: u8 = 1;
}

/// The bytes that are signed for a statement:
/// `"polity" ‖ len(domain) ‖ domain ‖ version ‖ network ‖ canonical payload`.
pub fn signing_bytes<T: Sign>(payload: &T, network: NetworkId) -> Vec<u8> {
    let mut bytes = b"polity".to_vec();
    bytes.push(u8::try_from(T::DOMAIN.len()).expect("a domain is a short word"));
    bytes.extend(T::DOMAIN.as_bytes());
    bytes.push(T::VERSION);
    bytes.extend(network.0.as_bytes());
    bytes.extend(canonical::encode(payload));
    bytes
}

/// A payload with a signature that nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// What is said.
    pub payload: T,
    /// Who is said to say it.
    pub by: PublicKey,
    /// The signature over [`signing_bytes`].
    pub signature: Signature,
}

impl<T: Sign> Signed<T> {
    /// Signs `payload` for `network`.
    pub fn new(payload: T, network: NetworkId, key: &SecretKey) -> Self {
        let signature = key.sign(&signing_bytes(&payload, network));
        Self { payload, by: key.public(), signature }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Error::Signature`] if it does not hold for this network.
    pub fn verify(self, network: NetworkId) -> Result<Verified<T>, Error> {
        self.check(network)?;
        Ok(Verified(self))
    }

    /// Checks the signature without taking the statement.
    ///
    /// # Errors
    /// [`Error::Signature`] if it does not hold for this network.
    pub fn check(&self, network: NetworkId) -> Result<(), Error> {
        if self.by.verify(&signing_bytes(&self.payload, network), &self.signature) {
            Ok(())
        } else {
            Err(Error::Signature { domain: T::DOMAIN, by: self.by.to_string() })
        }
    }
}

/// Who looks at the signatures of what is checked: at once, or later at many together.
pub trait Notary {
    /// Looks at the signature of a statement, or keeps it to be looked at.
    ///
    /// # Errors
    /// [`Error::Signature`] if it is known not to hold for this network.
    fn see<T: Sign>(&mut self, statement: &Signed<T>, network: NetworkId) -> Result<(), Error>;
}

/// Looks at every signature at once.
pub struct AtOnce;

impl Notary for AtOnce {
    fn see<T: Sign>(&mut self, statement: &Signed<T>, network: NetworkId) -> Result<(), Error> {
        statement.check(network)
    }
}

impl Notary for Batch {
    fn see<T: Sign>(&mut self, statement: &Signed<T>, network: NetworkId) -> Result<(), Error> {
        self.add(&statement.by, &signing_bytes(&statement.payload, network), &statement.signature);
        Ok(())
    }
}

/// A statement whose signature was checked; there is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(Signed<T>);

impl<T> Verified<T> {
    /// Who said it.
    pub fn by(&self) -> PublicKey {
        self.0.by
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    #[derive(Serialize, Deserialize, Clone)]
    struct Word(String);
    impl Sign for Word {
        const DOMAIN: &'static str = "word";
    }
    #[derive(Serialize, Deserialize)]
    struct Oath(String);
    impl Sign for Oath {
        const DOMAIN: &'static str = "oath";
    }

    #[test]
    fn a_statement_holds_in_its_network_and_domain_only() {
        let key = SecretKey::from_seed([7; 32]);
        let here = NetworkId(Digest([1; 32]));
        let there = NetworkId(Digest([2; 32]));
        let word = Signed::new(Word("yes".into()), here, &key);
        assert!(word.clone().verify(here).is_ok());
        assert!(word.clone().verify(there).is_err());
        let oath = Signed { payload: Oath("yes".into()), by: word.by, signature: word.signature };
        assert!(oath.verify(here).is_err());
        let mut other = word;
        other.payload.0 = "no".into();
        assert!(other.verify(here).is_err());
    }
}
