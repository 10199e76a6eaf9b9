//! Who a process is, and who it may become: credentials(7), without the capabilities. No privileges.

use rustix::io::Errno;

type Sys<T> = Result<T, Errno>;

/// The id of a call that stands for none.
pub const UNCHANGED: u32 = u32::MAX;

/// The user ids or the group ids of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
    /// The one that files are made and looked at with.
    pub filesystem: u32,
}

impl Ids {
    pub fn all(id: u32) -> Ids {
        Ids {
            real: id,
            effective: id,
            saved: id,
            filesystem: id,
        }
    }

    fn has(self, id: u32) -> bool {
        [UNCHANGED, self.real, self.effective, self.saved].contains(&id)
    }

    /// setuid(2), setgid(2).
    pub fn set(self, id: u32, privileged: bool) -> Sys<Ids> {
        match id {
            UNCHANGED => Err(Errno::INVAL),
            id if privileged => Ok(Ids::all(id)),
            id if id == self.real || id == self.saved => Ok(Ids {
                effective: id,
                filesystem: id,
                ..self
            }),
            _ => Err(Errno::PERM),
        }
    }

    /// setreuid(2), setregid(2).
    pub fn set_two(self, real: u32, effective: u32, privileged: bool) -> Sys<Ids> {
        let may_be_real = [UNCHANGED, self.real, self.effective].contains(&real);
        if !(privileged || may_be_real && self.has(effective)) {
            return Err(Errno::PERM);
        }
        let (new_real, new) = (or(real, self.real), or(effective, self.effective));
        let saves = real != UNCHANGED || (effective != UNCHANGED && effective != self.real);
        Ok(Ids {
            real: new_real,
            effective: new,
            saved: if saves { new } else { self.saved },
            filesystem: new,
        })
    }

    /// setresuid(2), setresgid(2).
    pub fn set_three(self, [real, effective, saved]: [u32; 3], privileged: bool) -> Sys<Ids> {
        if !privileged && ![real, effective, saved].iter().all(|&id| self.has(id)) {
            return Err(Errno::PERM);
        }
        let new = or(effective, self.effective);
        Ok(Ids {
            real: or(real, self.real),
            effective: new,
            saved: or(saved, self.saved),
            filesystem: new,
        })
    }

    /// setfsuid(2), setfsgid(2): never fails.
    pub fn set_filesystem(self, id: u32, privileged: bool) -> Ids {
        let may = id != UNCHANGED && (privileged || self.has(id) || id == self.filesystem);
        Ids {
            filesystem: if may { id } else { self.filesystem },
            ..self
        }
    }

    /// What exec makes of them; with an id, when the file has the set-id bit.
    pub fn executed(self, set: Option<u32>) -> Ids {
        Ids {
            real: self.real,
            ..Ids::all(set.unwrap_or(self.effective))
        }
    }
}

fn or(id: u32, present: u32) -> u32 {
    if id == UNCHANGED { present } else { id }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    pub user: Ids,
    pub group: Ids,
    pub groups: Vec<u32>,
    /// prctl(PR_SET_KEEPCAPS): whether it may become anybody after it gave root up.
    pub keeps: bool,
    /// It gave root up, and kept that.
    pub kept: bool,
}

impl Credentials {
    pub fn new(uid: u32, gid: u32, mut groups: Vec<u32>) -> Credentials {
        groups.sort_unstable();
        Credentials {
            user: Ids::all(uid),
            group: Ids::all(gid),
            groups,
            keeps: false,
            kept: false,
        }
    }

    /// With other user ids.
    pub fn with_user(self, user: Ids) -> Credentials {
        let kept = self.is_privileged() && self.keeps && user.effective != 0;
        Credentials { user, kept, ..self }
    }

    /// Whether it may become anybody.
    pub fn is_privileged(&self) -> bool {
        self.user.effective == 0 || self.kept
    }

    /// chown(2): root may anything, an owner may give to its own groups.
    pub fn may_give(&self, owner: (u32, u32), to: (u32, u32)) -> bool {
        let me = self.user.filesystem;
        if me == 0 {
            return true;
        }
        let same_user = to.0 == UNCHANGED || to.0 == owner.0;
        let group = to.1;
        let own_group = group == UNCHANGED
            || group == owner.1
            || group == self.group.filesystem
            || self.groups.contains(&group);
        me == owner.0 && same_user && own_group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gave_root_up_does_not_get_it_back() {
        let user = Ids::all(0).set_three([100, 100, 100], true).map_err(drop);
        assert_eq!(user, Ok(Ids::all(100)));
        for outcome in user.iter().flat_map(|ids| {
            [
                ids.set(0, false),
                ids.set_two(UNCHANGED, 0, false),
                ids.set_three([UNCHANGED, UNCHANGED, 0], false),
            ]
        }) {
            assert_eq!(outcome, Err(Errno::PERM));
        }
    }

    #[test]
    fn who_is_root_for_a_while_not_goes_back() {
        let away = Ids::all(0).set_three([UNCHANGED, 100, UNCHANGED], true);
        let back = away.and_then(|ids| ids.set(0, false));
        assert_eq!(back, Ok(Ids::all(0)));
    }

    #[test]
    fn setreuid_saves_the_effective_id() {
        let set = Ids::all(0).set_two(5, 6, true);
        assert_eq!(
            set,
            Ok(Ids {
                real: 5,
                effective: 6,
                saved: 6,
                filesystem: 6
            })
        );
    }

    #[test]
    fn exec_of_a_set_user_id_program() {
        let ids = Ids::all(1000).executed(Some(0));
        assert_eq!((ids.real, ids.effective, ids.saved), (1000, 0, 0));
        assert_eq!(Ids::all(7).executed(None), Ids::all(7));
    }

    #[test]
    fn an_owner_gives_to_its_own_groups_alone() {
        let me = Credentials::new(1000, 1000, vec![27]);
        assert!(me.may_give((1000, 1000), (UNCHANGED, 27)));
        assert!(!me.may_give((1000, 1000), (UNCHANGED, 0)));
        assert!(!me.may_give((1000, 1000), (0, UNCHANGED)));
        assert!(!me.may_give((0, 0), (UNCHANGED, UNCHANGED)));
    }
}
