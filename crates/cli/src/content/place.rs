//! What content a person names: a CID, and perhaps a path below it.

use super::ahead::Ahead;
use crate::failure::Failure;
use api::NodeApi;
use objects::{Cid, Resolved, Resolver};
use std::str::FromStr;

/// A CID and the names below it that lead to what is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) root: Cid,
    pub(crate) path: Vec<String>,
}

impl FromStr for Place {
    type Err = String;

    /// Reads `CID`, `CID/path`, `/ipfs/CID/path` and `ipfs://CID/path`.
    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("/ipfs/").or_else(|| text.strip_prefix("ipfs://"));
        let mut parts = rest.unwrap_or(text).split('/');
        let root = parts.next().unwrap_or_default();
        let root = root.parse().map_err(|error| {
            format!("{error}; write content as CID or CID/path/below, such as bafy…/data/a.csv")
        })?;
        // One slash at the end says that it is a directory, and nothing else.
        let mut path: Vec<_> = parts.map(str::to_string).collect();
        if path.last().is_some_and(String::is_empty) {
            path.pop();
        }
        Ok(Self { root, path })
    }
}

impl Place {
    /// A name for what is meant.
    pub(crate) fn name(&self) -> String {
        self.path.last().cloned().unwrap_or_else(|| self.root.to_string())
    }

    /// Follows the path.
    pub(crate) async fn resolve<N: NodeApi>(
        &self,
        ahead: &mut Ahead<N>,
    ) -> Result<Resolved, Failure> {
        let wrong = |error: objects::Error| Failure::usage(error.to_string());
        let mut resolver = Resolver::new(self.root, self.path.clone()).map_err(wrong)?;
        while let Some(wanted) = resolver.wanted() {
            let block = ahead.next(wanted, &[]).await?;
            resolver.give(wanted, block).map_err(wrong)?;
        }
        Ok(resolver.into_resolved().expect("nothing is wanted at the end of a path only"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_named_as_others_name_it() {
        let cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
        let place = |text: &str| text.replace('@', cid).parse::<Place>();
        let path = |text| place(text).unwrap().path;
        assert!(path("@").is_empty() && path("@/").is_empty() && path("/ipfs/@").is_empty());
        for text in ["@/a/b c", "/ipfs/@/a/b c", "ipfs://@/a/b c/"] {
            assert_eq!(path(text), ["a", "b c"], "{text}");
        }
        assert_eq!(place("@").unwrap().name(), cid);
        assert_eq!(place("@/a/b").unwrap().name(), "b");
        for text in ["", "a.csv", "/@", "/ipns/@", "data/@"] {
            assert!(place(text).unwrap_err().contains("CID/path"), "{text}");
        }
    }
}
