//! Which paths of a build context are left out. No privileges.

use crate::error::Error;
use crate::protocol::IgnoreRule;
use regex::RegexSet;

/// The ignore rules, in order.
pub struct Ignore {
    rules: RegexSet,
    negated: Vec<bool>,
}

/// Which rules match a path or a parent of it.
#[derive(Clone, Default)]
pub struct Matches {
    rules: Vec<bool>,
    pub ignored: bool,
}

impl Ignore {
    pub fn new(rules: &[IgnoreRule]) -> Result<Ignore, Error> {
        let sources = || rules.iter().map(|rule| &rule.regex);
        let set = RegexSet::new(sources()).map_err(|_| Error::IgnoreRule {
            // Together they may be too large; else one of them says why.
            regex: sources()
                .find(|source| regex::Regex::new(source).is_err())
                .map_or_else(|| "all rules together".to_owned(), String::clone),
        })?;
        Ok(Ignore {
            rules: set,
            negated: rules.iter().map(|rule| rule.negated).collect(),
        })
    }

    /// The last rule that matches the path or a parent of it decides.
    pub fn matches(&self, path: &[u8], parent: &Matches) -> Matches {
        if self.negated.is_empty() {
            return Matches::default();
        }
        let mut rules = parent.rules.clone();
        rules.resize(self.negated.len(), false);
        // Bytes that are no UTF-8 match as one character each, as in Go.
        for rule in &self.rules.matches(&String::from_utf8_lossy(path)) {
            rules[rule] = true;
        }
        let last = rules.iter().rposition(|&matched| matched);
        Matches {
            ignored: last.is_some_and(|last| !self.negated[last]),
            rules,
        }
    }

    /// Whether something below an ignored directory may be kept.
    pub fn has_exceptions(&self) -> bool {
        self.negated.contains(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_a_path_or_its_parent_decides() {
        let rule = |regex: &str, negated| IgnoreRule {
            regex: regex.to_owned(),
            negated,
        };
        let rules = [
            rule("^a$", false),
            rule("^a/keep$", true),
            rule(r"^(.*/)?[^/]*\.log$", false),
        ];
        let Ok(ignore) = Ignore::new(&rules) else {
            panic!("the rules are well formed");
        };
        let top = ignore.matches(b"a", &Matches::default());
        assert!(top.ignored);
        assert!(ignore.matches(b"a/other", &top).ignored);
        let keep = ignore.matches(b"a/keep", &top);
        assert!(!keep.ignored);
        assert!(!ignore.matches(b"a/keep/x", &keep).ignored);
        assert!(ignore.matches(b"a/keep/x.log", &keep).ignored);
    }
}
