//! A disk in memory that loses what was not synced, tears writes, runs full and fails on demand.

mod disk;

use super::files::{LogFile, LogFiles};
use disk::{Change, Disk, Inode, NameChange};
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Numbers that look random, and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    /// The power fails during the operation of this number.
    pub(crate) cut_at: Option<u64>,
    /// The operation of this number fails.
    pub(crate) fail_at: Option<(u64, ErrorKind)>,
    /// `sync_data` does nothing and says that all is well.
    pub(crate) sync_lies: bool,
    /// `sync_dir` does nothing and says that all is well.
    pub(crate) sync_dir_lies: bool,
    /// The size of the disk.
    pub(crate) space: Option<u64>,
}

/// What of the operations since the last sync a power cut leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    /// None.
    Nothing,
    /// All of them.
    Everything,
    /// The first few, the last of which is torn at some byte.
    Prefix,
    /// Any sectors of any of them: disks write in their own order.
    Sectors,
}

impl Left {
    pub(crate) const ALL: [Self; 4] =
        [Self::Nothing, Self::Everything, Self::Prefix, Self::Sectors];
}

/// The disk.
#[derive(Clone, Default)]
pub(crate) struct FaultFiles(Arc<Mutex<Disk>>);

impl FaultFiles {
    pub(crate) fn with(plan: Plan) -> Self {
        let files = Self::default();
        files.plan(plan);
        files
    }

    /// Changes what goes wrong.
    pub(crate) fn plan(&self, plan: Plan) {
        self.disk().plan = plan;
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// The disk as a new process finds it when the old one ended but the power stayed on.
    pub(crate) fn after_exit(&self) -> Self {
        let disk = self.disk();
        let inodes = disk.inodes.clone();
        let names = disk.names.clone();
        let durable_names = disk.durable_names.clone();
        let renames = disk.renames.clone();
        Self::of(Disk {
            names,
            durable_names,
            renames,
            inodes,
            ..Disk::default()
        })
    }

    /// The disk as a new process finds it after a power cut.
    pub(crate) fn after_power_cut(&self, left: Left, dice: &mut Dice) -> Self {
        let disk = self.disk();
        let survive = |inode: &Inode| {
            let content = inode.survives(left, dice);
            Inode {
                durable: content.clone(),
                content,
                ..Inode::default()
            }
        };
        let inodes = disk.inodes.iter().map(survive).collect();
        let mut names = disk.durable_names.clone();
        let count = match left {
            Left::Nothing => 0,
            Left::Everything => disk.renames.len(),
            Left::Prefix | Left::Sectors => {
                usize::try_from(dice.below(disk.renames.len() as u64 + 1)).unwrap()
            }
        };
        disk.renames[..count]
            .iter()
            .for_each(|change| change.apply(&mut names));
        Self::of(Disk {
            durable_names: names.clone(),
            names,
            inodes,
            ..Disk::default()
        })
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.disk().names.keys().cloned().collect()
    }

    /// What is in a file.
    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        let disk = self.disk();
        disk.inodes[disk.names[path]].content.clone()
    }

    /// Puts something else into a file.
    pub(crate) fn overwrite(&self, path: &Path, content: Vec<u8>) {
        let mut disk = self.disk();
        let inode = disk.names[path];
        disk.inodes[inode] = Inode {
            durable: content.clone(),
            content,
            ..Inode::default()
        };
    }

    fn of(disk: Disk) -> Self {
        Self(Arc::new(Mutex::new(disk)))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
}

impl LogFiles for FaultFiles {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        self.disk().up()
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let mut disk = self.disk();
        let inode = disk.inodes.len();
        disk.inodes.push(Inode::default());
        disk.change_name(NameChange::Link(path.to_owned(), inode))?;
        Ok(Arc::new(FaultFile {
            files: self.clone(),
            inode,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let inode = self.disk().open(path)?;
        Ok(Arc::new(FaultFile {
            files: self.clone(),
            inode,
        }))
    }

    fn open_writable(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        self.open(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk();
        disk.up()?;
        let names = disk.names.keys().filter(|path| path.parent() == Some(dir));
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        Ok(names.map(name).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk()
            .change_name(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk().change_name(NameChange::Remove(path.to_owned()))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.operation()? {
            return disk.up();
        }
        if disk.plan.sync_dir_lies {
            return Ok(());
        }
        let (done, rest): (Vec<_>, _) = std::mem::take(&mut disk.renames)
            .into_iter()
            .partition(|change| change.within(dir));
        done.iter()
            .for_each(|change| change.apply(&mut disk.durable_names));
        disk.renames = rest;
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        let disk = self.disk();
        disk.up()?;
        Ok(disk
            .plan
            .space
            .map_or(u64::MAX, |space| space.saturating_sub(disk.used())))
    }
}

struct FaultFile {
    files: FaultFiles,
    inode: usize,
}

impl FaultFile {
    fn change(&self, disk: &mut Disk, change: Change) {
        let inode = &mut disk.inodes[self.inode];
        change.apply(&mut inode.content);
        inode.pending.push(change);
    }
}

impl LogFile for FaultFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let disk = self.files.disk();
        disk.up()?;
        let content = &disk.inodes[self.inode].content;
        let from = usize::try_from(at).unwrap().min(content.len());
        let count = buffer.len().min(content.len() - from);
        buffer[..count].copy_from_slice(&content[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, parts: &mut [IoSlice<'_>], at: u64) -> io::Result<()> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let at = usize::try_from(at).unwrap();
        let mut disk = self.files.disk();
        let inode = &disk.inodes[self.inode];
        let taken = inode.allocated.max(inode.content.len() as u64);
        disk.fits(((at + bytes.len()) as u64).saturating_sub(taken))?;
        let half = bytes.len() / 2;
        if let Err(error) = disk.operation() {
            // A write that fails may have written some of it.
            self.change(&mut disk, Change::Write(at, bytes[..half].to_vec()));
            return Err(error);
        }
        self.change(&mut disk, Change::Write(at, bytes));
        disk.up()
    }

    fn allocate(&self, at: u64, bytes: u64) -> io::Result<()> {
        let mut disk = self.files.disk();
        disk.operation()?;
        let inode = &disk.inodes[self.inode];
        let taken = inode.allocated.max(inode.content.len() as u64);
        disk.fits((at + bytes).saturating_sub(taken))?;
        let inode = &mut disk.inodes[self.inode];
        inode.allocated = inode.allocated.max(at + bytes);
        disk.up()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut disk = self.files.disk();
        disk.operation()?;
        self.change(&mut disk, Change::SetLen(usize::try_from(bytes).unwrap()));
        disk.inodes[self.inode].allocated = bytes;
        disk.up()
    }

    fn len(&self) -> io::Result<u64> {
        let disk = self.files.disk();
        disk.up()?;
        Ok(disk.inodes[self.inode].content.len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.files.disk();
        match disk.operation() {
            Ok(false) => {}
            Ok(true) => return disk.up(),
            Err(error) => {
                // Like ext4 and XFS: the pages count as clean, and the next sync succeeds.
                disk.inodes[self.inode].pending.clear();
                return Err(error);
            }
        }
        if !disk.plan.sync_lies {
            let inode = &mut disk.inodes[self.inode];
            for change in std::mem::take(&mut inode.pending) {
                change.apply(&mut inode.durable);
            }
        }
        Ok(())
    }
}
