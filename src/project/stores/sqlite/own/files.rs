//! The files of a projection's tables, and the links that say what each is.

use crate::project::own::OwnError;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

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

    /// A file that was never there; its folder is. Files that no link names were begun by who was
    /// killed then, and go.
    pub(super) fn free(&self) -> Result<PathBuf, OwnError> {
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        for name in self.names()? {
            let file = self.folder.join(&name);
            if self.is_file_of_ours(&name) && !file.is_symlink() && !self.is_named(&file)? {
                remove_file(&file)?;
            }
        }
        let number = Uuid::now_v7().simple();
        Ok(self.folder.join(format!("{}.{number}.sqlite", self.name)))
    }

    /// Lets a link name `file`, in one step.
    pub(super) fn point(&self, link: Link, file: &Path) -> Result<(), OwnError> {
        let new = self.folder.join(format!("{}.link", self.name));
        gone(&new)?;
        let target = file.file_name().unwrap_or_default();
        std::os::unix::fs::symlink(target, &new).map_err(failed)?;
        std::fs::rename(&new, self.link(link)).map_err(failed)?;
        sync(&self.folder)
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

    fn is_file_of_ours(&self, file: &str) -> bool {
        let rest = file.strip_prefix(&self.name);
        rest.is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".sqlite"))
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

/// Has a file, or what a folder lists, on the disk: a link that outlives the end of the power must name
/// a whole file. Nobody may have the file open in this process, who would lose its locks.
pub(super) fn sync(path: &Path) -> Result<(), OwnError> {
    let opened = std::fs::File::open(path).map_err(failed)?;
    opened.sync_all().map_err(failed)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A new file, as the set that is built.
    fn built(files: &Files) -> PathBuf {
        let file = files.free().unwrap();
        std::fs::write(&file, "").unwrap();
        files.point(Link::Next, &file).unwrap();
        file
    }

    #[test]
    fn what_is_replaced_is_kept_once_a_version() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path(), "days");
        let first = built(&files);
        files.switch(None).unwrap();
        let second = built(&files);
        files.switch(Some(1)).unwrap();
        assert_eq!(files.target(Link::Kept(1)), Some(first.clone()));
        let third = built(&files);
        files.switch(Some(1)).unwrap();
        assert_eq!(files.target(Link::Kept(1)), Some(second));
        assert_eq!(
            (files.target(Link::Live), first.exists()),
            (Some(third), false)
        );
        assert_eq!(files.kept().unwrap(), [1]);
    }

    #[test]
    fn whoever_is_killed_while_it_switches_loses_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path(), "days");
        let first = built(&files);
        files.switch(None).unwrap();
        let second = built(&files);
        // After the first link was moved, and after the second.
        files.point(Link::Kept(1), &first).unwrap();
        files.remove(Link::Kept(1)).unwrap();
        assert!(first.exists());
        files.point(Link::Live, &second).unwrap();
        files.switch(Some(2)).unwrap();
        assert_eq!(files.target(Link::Live), Some(second.clone()));
        files.point(Link::Next, &second).unwrap();
        files.remove(Link::Next).unwrap();
        assert_eq!(files.target(Link::Live), Some(second));
    }

    #[test]
    fn files_that_nothing_names_go_and_those_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path(), "days");
        let live = built(&files);
        files.switch(None).unwrap();
        let left = folder.path().join("days.17.sqlite");
        let other = folder.path().join("days_of_others.17.sqlite");
        for file in [&left, &other] {
            std::fs::write(file, "").unwrap();
        }
        files.free().unwrap();
        assert_eq!(
            [live, other, left].map(|file| file.exists()),
            [true, true, false]
        );
    }
}
