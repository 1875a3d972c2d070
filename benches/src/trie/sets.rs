use std::collections::HashSet;

use super::random::Random;

/// Prefixes to register. The value of prefix `i` is `i`.
#[derive(Debug)]
pub struct Set {
    /// How the set is called in keys: its size.
    pub name: &'static str,
    /// Different from each other, in no order; all begin with a slash and none ends in one.
    pub prefixes: Vec<String>,
}

impl Set {
    /// What a small server routes.
    #[must_use]
    pub fn ten() -> Self {
        let prefixes = [
            "/hello",
            "/json",
            "/db",
            "/queries",
            "/fortunes",
            "/plaintext",
            "/cached-queries",
            "/static",
            "/lua",
            "/api/v1",
        ];
        Self {
            name: "10",
            prefixes: prefixes.map(str::to_owned).into(),
        }
    }

    /// The interface of a code host, with names in place of its parameters: 130 prefixes, deep and alike.
    #[must_use]
    pub fn code_host() -> Self {
        Self {
            name: "130",
            prefixes: CODE_HOST.split(' ').map(str::to_owned).collect(),
        }
    }

    /// `size` made-up prefixes of one to four pronounceable segments. Three in ten extend an earlier one.
    #[must_use]
    pub fn made_up(name: &'static str, size: usize) -> Self {
        let mut random = Random::new(size as u64);
        let mut seen = HashSet::new();
        let mut prefixes: Vec<String> = Vec::with_capacity(size);
        while prefixes.len() < size {
            let (mut prefix, segments) = if !prefixes.is_empty() && random.below(10) < 3 {
                (random.pick(&prefixes).clone(), 1)
            } else {
                (String::new(), 1 + random.below(4))
            };
            for _ in 0..segments {
                prefix.push('/');
                random.word(&mut prefix);
            }
            if seen.insert(prefix.clone()) {
                prefixes.push(prefix);
            }
        }
        Self { name, prefixes }
    }

    /// The four sets of the comparison.
    #[must_use]
    pub fn all() -> [Self; 4] {
        [
            Self::ten(),
            Self::code_host(),
            Self::made_up("1k", 1_000),
            Self::made_up("100k", 100_000),
        ]
    }
}

const CODE_HOST: &str = "\
    /events /feeds /emojis /meta /rate_limit /markdown /markdown/raw /gists /gists/public /gists/starred \
    /gists/4f2a /gists/4f2a/star /gists/4f2a/forks /gists/4f2a/comments /user /user/repos /user/keys \
    /user/emails /user/followers /user/following /user/orgs /user/issues /user/starred /user/teams \
    /users/kim /users/kim/repos /users/kim/keys /users/kim/events /users/kim/events/public \
    /users/kim/followers /users/kim/following /users/kim/orgs /users/kim/gists /orgs/acme \
    /orgs/acme/repos /orgs/acme/events /orgs/acme/issues /orgs/acme/members /orgs/acme/members/kim \
    /orgs/acme/teams /orgs/acme/public_members /teams/42 /teams/42/members /teams/42/members/kim \
    /teams/42/repos /teams/42/repos/acme/rocket /teams/42/memberships/kim /search /search/repositories \
    /search/code /search/issues /search/users /search/commits /search/topics /notifications \
    /notifications/threads/7 /notifications/threads/7/subscription /notifications/unread /authorizations \
    /authorizations/clients/9 /authorizations/clients/9/tokens /authorizations/grants /repos/acme/rocket \
    /repos/acme/rocket/git /repos/acme/rocket/git/blobs /repos/acme/rocket/git/commits \
    /repos/acme/rocket/git/refs /repos/acme/rocket/git/refs/heads /repos/acme/rocket/git/refs/tags \
    /repos/acme/rocket/git/tags /repos/acme/rocket/git/trees /repos/acme/rocket/issues \
    /repos/acme/rocket/issues/1 /repos/acme/rocket/issues/1/comments /repos/acme/rocket/issues/1/events \
    /repos/acme/rocket/issues/1/labels /repos/acme/rocket/issues/1/labels/bug \
    /repos/acme/rocket/issues/comments /repos/acme/rocket/issues/events /repos/acme/rocket/pulls \
    /repos/acme/rocket/pulls/1 /repos/acme/rocket/pulls/1/commits /repos/acme/rocket/pulls/1/files \
    /repos/acme/rocket/pulls/1/merge /repos/acme/rocket/pulls/1/comments \
    /repos/acme/rocket/pulls/1/reviews /repos/acme/rocket/pulls/comments /repos/acme/rocket/releases \
    /repos/acme/rocket/releases/latest /repos/acme/rocket/releases/1 \
    /repos/acme/rocket/releases/1/assets /repos/acme/rocket/releases/assets/3 \
    /repos/acme/rocket/releases/tags/v1 /repos/acme/rocket/stats /repos/acme/rocket/stats/contributors \
    /repos/acme/rocket/stats/commit_activity /repos/acme/rocket/stats/code_frequency \
    /repos/acme/rocket/stats/participation /repos/acme/rocket/stats/punch_card /repos/acme/rocket/hooks \
    /repos/acme/rocket/hooks/5 /repos/acme/rocket/hooks/5/tests /repos/acme/rocket/hooks/5/pings \
    /repos/acme/rocket/collaborators /repos/acme/rocket/collaborators/kim \
    /repos/acme/rocket/collaborators/kim/permission /repos/acme/rocket/contents \
    /repos/acme/rocket/contents/src /repos/acme/rocket/contents/src/main.rs \
    /repos/acme/rocket/contents/README.md /repos/acme/rocket/commits /repos/acme/rocket/commits/main \
    /repos/acme/rocket/commits/main/statuses /repos/acme/rocket/commits/main/comments \
    /repos/acme/rocket/keys /repos/acme/rocket/keys/11 /repos/acme/rocket/labels \
    /repos/acme/rocket/labels/bug /repos/acme/rocket/milestones /repos/acme/rocket/milestones/2 \
    /repos/acme/rocket/milestones/2/labels /repos/acme/rocket/branches /repos/acme/rocket/forks \
    /repos/acme/rocket/stargazers /repos/acme/rocket/subscribers /repos/acme/rocket/languages \
    /repos/acme/rocket/readme /repos/acme/rocket/tags /repos/acme/rocket/teams \
    /repos/acme/rocket/deployments";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_what_they_are_called() {
        for (set, size) in Set::all().iter().zip([10, 130, 1_000, 100_000]) {
            assert_eq!(set.prefixes.len(), size);
            assert_eq!(set.prefixes.iter().collect::<HashSet<_>>().len(), size);
            assert!(
                set.prefixes
                    .iter()
                    .all(|prefix| prefix.starts_with('/') && !prefix.ends_with('/'))
            );
        }
    }
}
