//! What is on the faulty disk, and what of it is durable.

use super::{Dice, Left, Plan};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) plan: Plan,
    /// Operations that changed something, or were asked to.
    pub(crate) operations: u64,
    pub(crate) down: bool,
    pub(crate) names: BTreeMap<PathBuf, usize>,
    pub(crate) durable_names: BTreeMap<PathBuf, usize>,
    pub(crate) renames: Vec<NameChange>,
    pub(crate) inodes: Vec<Inode>,
}

#[derive(Clone, Default)]
pub(crate) struct Inode {
    pub(crate) content: Vec<u8>,
    pub(crate) durable: Vec<u8>,
    pub(crate) pending: Vec<Change>,
    pub(crate) allocated: u64,
}

#[derive(Clone)]
pub(crate) enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

#[derive(Clone)]
pub(crate) enum NameChange {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

const SECTOR: usize = 512;

impl Inode {
    pub(crate) fn survives(&self, left: Left, dice: &mut Dice) -> Vec<u8> {
        let mut content = self.durable.clone();
        let count = match left {
            Left::Nothing => 0,
            Left::Everything | Left::Sectors => self.pending.len(),
            Left::Prefix => usize::try_from(dice.below(self.pending.len() as u64 + 1)).unwrap(),
        };
        for (number, change) in self.pending[..count].iter().enumerate() {
            match (left, change) {
                (Left::Sectors, Change::Write(at, bytes)) => {
                    some_sectors(&mut content, *at, bytes, dice);
                }
                (Left::Prefix, Change::Write(at, bytes)) if number + 1 == count => {
                    let torn = usize::try_from(dice.below(bytes.len() as u64 + 1)).unwrap();
                    Change::Write(*at, bytes[..torn].to_vec()).apply(&mut content);
                }
                _ => change.apply(&mut content),
            }
        }
        content
    }
}

fn some_sectors(content: &mut Vec<u8>, at: usize, bytes: &[u8], dice: &mut Dice) {
    let mut from = 0;
    while from < bytes.len() {
        let end = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
        if dice.below(2) == 0 {
            Change::Write(at + from, bytes[from..end].to_vec()).apply(content);
        }
        from = end;
    }
}

impl Change {
    pub(crate) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(_, bytes) if bytes.is_empty() => {}
            Self::Write(at, bytes) => {
                let end = at + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*at..end].copy_from_slice(bytes);
            }
            Self::SetLen(bytes) => content.resize(*bytes, 0),
        }
    }
}

impl NameChange {
    pub(crate) fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }

    pub(crate) fn within(&self, dir: &Path) -> bool {
        let (Self::Link(path, _) | Self::Rename(_, path) | Self::Remove(path)) = self;
        path.parent() == Some(dir)
    }
}

impl Disk {
    pub(crate) fn up(&self) -> io::Result<()> {
        if self.down {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(())
        }
    }

    /// Counts an operation: whether the power fails during it, or an error that it must return.
    pub(crate) fn operation(&mut self) -> io::Result<bool> {
        self.up()?;
        let number = self.operations;
        self.operations += 1;
        match self.plan.fail_at {
            Some((at, kind)) if at == number => return Err(kind.into()),
            _ => {}
        }
        self.down = self.plan.cut_at == Some(number);
        Ok(self.down)
    }

    pub(crate) fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        self.operation()?;
        change.apply(&mut self.names);
        self.renames.push(change);
        self.up()
    }

    pub(crate) fn used(&self) -> u64 {
        let used = |inode: &Inode| inode.allocated.max(inode.content.len() as u64);
        self.names
            .values()
            .map(|inode| used(&self.inodes[*inode]))
            .sum()
    }

    pub(crate) fn fits(&self, more: u64) -> io::Result<()> {
        match self.plan.space {
            Some(space) if self.used() + more > space => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn open(&self, path: &Path) -> io::Result<usize> {
        self.up()?;
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| ErrorKind::NotFound.into())
    }
}
