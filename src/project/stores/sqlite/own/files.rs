//! The files of a projection's tables, and the links that say what each is.

use crate::project::own::OwnError;
use std::io;
use std::path::{Path, PathBuf};

/// The files of one projection.
pub(super) struct Files {
    folder: PathBuf,
    name: String,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It answers.
    Live,
    /// It is built.
    Next,
    /// It answered as this version, and is kept.
    Kept(u32),
}

impl Files {
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The file that a link names, if both are there.
    pub(super) fn target(&self, link: Link) -> Option<PathBuf> {
        let target = std::fs::read_link(self.link(link)).ok()?;
        let file = self.folder.join(target);
        file.is_file().then_some(file)
    }

    /// A file that is not there; its folder is.
    pub(super) fn free(&self) -> Result<PathBuf, OwnError> {
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut number = 1_u32;
        loop {
            let file = self.folder.join(format!("{}.{number}.sqlite", self.name));
            if !file.exists() {
                return Ok(file);
            }
            // One that no link names was begun by a process that was killed then.
            if !self.is_named(&file)? {
                remove_file(&file)?;
                return Ok(file);
            }
            number += 1;
        }
    }

    /// Lets a link name `file`, in one step.
    pub(super) fn point(&self, link: Link, file: &Path) -> Result<(), OwnError> {
        let new = self.folder.join(format!("{}.link", self.name));
        gone(&new)?;
        let target = file.file_name().unwrap_or_default();
        std::os::unix::fs::symlink(target, &new).map_err(failed)?;
        std::fs::rename(&new, self.link(link)).map_err(failed)
    }

    /// Removes a link, and the file that it names unless another one does: a process may have been
    /// killed while it switched.
    pub(super) fn remove(&self, link: Link) -> Result<(), OwnError> {
        let file = self.target(link);
        gone(&self.link(link))?;
        match file {
            Some(file) if !self.is_named(&file)? => remove_file(&file),
            _ => Ok(()),
        }
    }

    /// Lets what is built answer; what answered as `version` is kept as that.
    pub(super) fn switch(&self, version: Option<u32>) -> Result<(), OwnError> {
        let next = self.target(Link::Next).ok_or(OwnError::Moved)?;
        let before = self.target(Link::Live);
        let before = before.zip(version).filter(|(file, _)| *file != next);
        if let Some((file, version)) = before {
            let link = Link::Kept(version);
            if self.target(link).as_ref() != Some(&file) {
                self.remove(link)?;
            }
            self.point(link, &file)?;
        }
        self.point(Link::Live, &next)?;
        gone(&self.link(Link::Next))
    }

    /// The versions that are kept, in their order.
    pub(super) fn kept(&self) -> Result<Vec<u32>, OwnError> {
        let mut versions: Vec<u32> = self
            .names()?
            .iter()
            .filter_map(|name| self.version(name))
            .collect();
        versions.sort_unstable();
        Ok(versions)
    }

    fn version(&self, file: &str) -> Option<u32> {
        let rest = file.strip_prefix(&self.name)?.strip_prefix(".v")?;
        rest.strip_suffix(".sqlite")?.parse().ok()
    }

    fn link(&self, link: Link) -> PathBuf {
        let end = match link {
            Link::Live => String::new(),
            Link::Next => ".next".to_owned(),
            Link::Kept(version) => format!(".v{version}"),
        };
        self.folder.join(format!("{}{end}.sqlite", self.name))
    }

    fn is_named(&self, file: &Path) -> Result<bool, OwnError> {
        let kept = self.kept()?.into_iter().map(Link::Kept);
        let mut links = [Link::Live, Link::Next].into_iter().chain(kept);
        Ok(links.any(|link| self.target(link).as_deref() == Some(file)))
    }

    fn names(&self) -> Result<Vec<String>, OwnError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let name = |entry: io::Result<std::fs::DirEntry>| {
            let name = entry.map_err(failed)?.file_name();
            Ok(name.to_string_lossy().into_owned())
        };
        entries.map(name).collect()
    }
}

/// A database, and what stands beside it.
fn remove_file(file: &Path) -> Result<(), OwnError> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut path = file.as_os_str().to_owned();
        path.push(end);
        gone(Path::new(&path))?;
    }
    Ok(())
}

fn gone(path: &Path) -> Result<(), OwnError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn failed(error: io::Error) -> OwnError {
    OwnError::Failed {
        doing: "changing its files",
        reason: error.to_string(),
    }
}
