//! What a submitter asks of the queue and of the nodes, beside what must be computed.

use crate::{Error, Time, limits};
use identity::PublicKey;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// How urgent a job is (paper Cell0, "Task Scheduler"). What is first here goes first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before everything else.
    Critical,
    /// Before what is usual.
    High,
    /// What is not said otherwise.
    #[default]
    Normal,
    /// After what is usual.
    Low,
    /// When there is nothing else to do, and now and then so that it never starves.
    Background,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 5] =
        [Self::Critical, Self::High, Self::Normal, Self::Low, Self::Background];

    fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Background => "background",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Priority {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|priority| priority.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid("priority", format!("'{text}' is none of {names}"))
        })
    }
}

/// Whom the data of a job may be shown to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Every node of the polity.
    #[default]
    Public,
    /// Nodes of the submitter, and of owners that the job names.
    Internal,
    /// Nodes of the submitter that carry the label `restricted=yes`.
    Restricted,
}

impl Class {
    /// The label that a node must carry for restricted data, and its value.
    pub const RESTRICTED: (&'static str, &'static str) = ("restricted", "yes");
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Restricted => "restricted",
        })
    }
}

impl FromStr for Class {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "public" => Ok(Self::Public),
            "internal" => Ok(Self::Internal),
            "restricted" => Ok(Self::Restricted),
            _ => {
                let reason = format!("'{text}' is none of public, internal, restricted");
                Err(Error::invalid("class", reason))
            }
        }
    }
}

/// What a node must be or have to run a job. The default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Needs {
    /// Labels that it carries, with these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The processor, as in `x86_64` or `aarch64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Cores that one task has for itself while it runs, with the memory of its limits. With 0 it
    /// shares what is there.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpus: u16,
    /// GPUs that one task has for itself while it runs.
    #[serde(skip_serializing_if = "is_zero")]
    pub gpus: u16,
    /// Free bytes of disk.
    #[serde(skip_serializing_if = "is_zero")]
    pub disk_bytes: u64,
    /// Owners of whom it is one's, if any are named.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub owners: BTreeSet<PublicKey>,
    /// Nodes of which it is one, if any are named.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub nodes: BTreeSet<PublicKey>,
    /// Time that a message to it and back may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_ms: Option<u32>,
    /// Whom the data may be shown to.
    #[serde(skip_serializing_if = "is_default")]
    pub class: Class,
}

/// What the queue is told about a job. The default is what orders of before say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// How urgent it is.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: Priority,
    /// When it should be done. Among jobs of one priority the earliest goes first; what is late is
    /// done all the same, until the job expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// Who may run it.
    #[serde(skip_serializing_if = "is_default")]
    pub needs: Needs,
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_zero<T: Copy + Into<u64>>(count: &T) -> bool {
    (*count).into() == 0
}

impl Terms {
    /// Checks every field against the others, and against when the job was issued and expires.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first thing that is wrong.
    pub fn check(&self, issued: Time, expires: Time) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("job", reason));
        if let Some(deadline) = self.deadline {
            if deadline <= issued {
                return wrong(format!(
                    "its deadline {deadline} is past: it was issued at {issued}"
                ));
            }
            if deadline > expires {
                return wrong(format!("it expires at {expires}, before its deadline {deadline}"));
            }
        }
        let needs = &self.needs;
        check_labels(&needs.labels)?;
        let named = needs.owners.len().max(needs.nodes.len());
        if named > limits::NAMED {
            return wrong(format!("{named} owners or nodes are named, at most {}", limits::NAMED));
        }
        if needs.arch.as_ref().is_some_and(|arch| !is_label_text(arch)) {
            return wrong("its processor has no plain name".into());
        }
        Ok(())
    }
}

/// Checks the labels of a node, or those that a job asks for.
///
/// # Errors
/// [`Error::Invalid`] with the first one that is wrong.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::invalid("labels", reason));
    if labels.len() > limits::LABELS {
        return wrong(format!("there are {}, at most {}", labels.len(), limits::LABELS));
    }
    for (name, value) in labels {
        if !is_label_text(name) || !is_label_text(value) {
            return wrong(format!(
                "'{name}={value}': names and values have 1 to {} letters, digits, '.', '_', '-' or '/'",
                limits::LABEL_BYTES
            ));
        }
    }
    Ok(())
}

fn is_label_text(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    (1..=limits::LABEL_BYTES).contains(&text.len()) && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::canonical;

    #[test]
    fn usual_terms_take_no_room() {
        assert_eq!(canonical::encode(&Terms::default()), [0xa0]);
    }

    #[test]
    fn terms_are_read_as_they_were_written() {
        let needs = Needs {
            labels: BTreeMap::from([("zone".into(), "north".into())]),
            arch: Some("x86_64".into()),
            cpus: 4,
            near_ms: Some(20),
            class: Class::Internal,
            ..Needs::default()
        };
        let terms = Terms { priority: Priority::High, deadline: Some(Time(9)), needs };
        let bytes = canonical::encode(&terms);
        assert_eq!(canonical::decode::<Terms>(&bytes, bytes.len()), Ok(terms));
    }

    #[test]
    fn what_cannot_hold_is_refused_with_its_reason() {
        let late = Terms { deadline: Some(Time(5)), ..Terms::default() };
        let said = |terms: &Terms, issued, expires| {
            terms.check(Time(issued), Time(expires)).unwrap_err().to_string()
        };
        assert!(said(&late, 5, 10).contains("past"));
        assert!(said(&late, 1, 4).contains("before its deadline"));
        assert_eq!(late.check(Time(1), Time(10)), Ok(()));
        let labels = BTreeMap::from([("a b".to_string(), "c".to_string())]);
        let odd = Terms { needs: Needs { labels, ..Needs::default() }, ..Terms::default() };
        assert!(said(&odd, 1, 10).contains("'a b=c'"));
    }

    #[test]
    fn priorities_are_named_and_ordered() {
        for priority in Priority::ALL {
            assert_eq!(priority.to_string().parse(), Ok(priority));
        }
        assert!(Priority::Critical < Priority::Background);
        assert!("urgent".parse::<Priority>().unwrap_err().to_string().contains("background"));
    }
}
