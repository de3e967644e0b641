//! Tells that a file may have changed. It watches directories and never the file itself: the kernel watches what a name led
//! to at first (an inode), and an editor, a deployment or Kubernetes puts another file under the name.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchDescriptor, WatchMask, Watches};

/// Names by directory: whoever changes what a path leads to has to change one of these entries.
type Entries = BTreeMap<PathBuf, HashSet<OsString>>;

/// By device, inode and name: a directory that was replaced needs a new watch under its old name.
type Id = (u64, u64, PathBuf);

pub struct PathWatcher {
    /// `None` where the kernel gives no watch: the file is then read again and again.
    events: Option<EventStream<[u8; 4096]>>,
    watched: HashMap<Id, WatchDescriptor>,
    names: HashMap<WatchDescriptor, HashSet<OsString>>,
}

// #region watch
impl PathWatcher {
    /// The error says why there are no events, such as for want of inotify instances.
    pub fn new() -> (Self, Option<io::Error>) {
        let (events, error) = match Inotify::init().and_then(|inotify| inotify.into_event_stream([0; 4096])) {
            Ok(events) => (Some(events), None),
            Err(error) => (None, Some(error)),
        };
        (PathWatcher { events, watched: HashMap::new(), names: HashMap::new() }, error)
    }

    /// Watches the directories on today's way to the file. Call it before each read, so that no change is lost. Returns what
    /// could not be watched.
    pub fn refresh(&mut self, entries: Entries) -> Vec<io::Error> {
        let Some(events) = &self.events else { return Vec::new() };
        let mut watches = events.watches();
        let mut gone = std::mem::take(&mut self.watched);
        let mut errors = Vec::new();
        self.names.clear();
        for (directory, names) in entries {
            let Ok(metadata) = directory.metadata() else { continue };
            let id = (metadata.dev(), metadata.ino(), directory.clone());
            let watch = match gone.remove(&id) {
                Some(known) => Ok(known),
                None => add(&mut watches, &directory),
            };
            match watch {
                Ok(watch) => {
                    self.names.entry(watch.clone()).or_default().extend(names);
                    self.watched.insert(id, watch);
                }
                Err(error) => errors.push(error),
            }
        }
        // The kernel has one watch for one inode: it stays as long as any name leads to it.
        for watch in gone.into_values().filter(|watch| !self.names.contains_key(watch)) {
            // A directory that was removed has taken its watch with it.
            let _ = watches.remove(watch);
        }
        errors
    }

    /// Resolves when one of the watched entries has changed. Never without watches.
    pub async fn changed(&mut self) {
        loop {
            let Some(events) = &mut self.events else { return std::future::pending().await };
            match events.next().await {
                Some(Ok(event)) => {
                    // An entry without interest: an editor's swap file, a log. Without a name: the directory itself.
                    let names = self.names.get(&event.wd);
                    if event.name.is_none_or(|name| names.is_some_and(|names| names.contains(&name))) {
                        return;
                    }
                }
                Some(Err(_)) | None => self.events = None,
            }
        }
    }
}

fn add(watches: &mut Watches, directory: &Path) -> io::Result<WatchDescriptor> {
    let entries = WatchMask::CREATE | WatchMask::MOVE | WatchMask::DELETE | WatchMask::MODIFY | WatchMask::CLOSE_WRITE;
    watches.add(directory, entries | WatchMask::ATTRIB | WatchMask::DELETE_SELF | WatchMask::MOVE_SELF)
}
// #endregion watch

// #region way
/// Symbolic links in one path; the kernel gives up at 40 as well.
const MAX_LINKS: usize = 40;

/// Walks a path as the kernel does. On the way, a symbolic link is an entry that a deployment swaps (`current`, Kubernetes'
/// `..data`); at the end, the file's own name is one that an editor renames another file over. It may block.
pub fn entries_on_the_way(path: &Path) -> Entries {
    let mut entries = Entries::new();
    let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut ahead: VecDeque<OsString> = parts_of(path);
    let mut directory = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        let target = std::fs::read_link(directory.join(&name)).ok();
        if target.is_some() || ahead.is_empty() {
            entries.entry(directory.clone()).or_default().insert(name.clone());
        }
        let Some(target) = target else {
            directory.push(name);
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            break;
        }
        let mut way = parts_of(&directory.join(target));
        way.append(&mut ahead);
        ahead = way;
        directory = PathBuf::from("/");
    }
    entries
}

/// The names of an absolute path, with `..` taken back.
fn parts_of(path: &Path) -> VecDeque<OsString> {
    let mut parts = VecDeque::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => parts.push_back(name.to_owned()),
            Component::ParentDir => drop(parts.pop_back()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    parts
}
// #endregion way

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("path-watcher-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&folder).expect("a folder");
            Folder(folder.canonicalize().expect("its real name"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    async fn notices(path: &Path, change: impl FnOnce()) -> bool {
        let (mut watcher, error) = PathWatcher::new();
        assert!(error.is_none() && watcher.refresh(entries_on_the_way(path)).is_empty());
        change();
        tokio::time::timeout(Duration::from_secs(5), watcher.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn notices_a_write_a_rename_over_and_a_swapped_link_on_the_way() {
        let folder = Folder::new();
        let file = folder.0.join("routing.json");
        fs::write(&file, "1").expect("written");
        assert!(notices(&file, || fs::write(&file, "2").expect("written")).await);
        let next = folder.0.join("next");
        fs::write(&next, "3").expect("written");
        assert!(notices(&file, || fs::rename(&next, &file).expect("renamed")).await);

        for version in ["v1", "v2"] {
            fs::create_dir(folder.0.join(version)).expect("a folder");
            fs::write(folder.0.join(version).join("table.json"), version).expect("written");
        }
        symlink("v1", folder.0.join("..data")).expect("a link");
        symlink("..data/table.json", folder.0.join("table.json")).expect("a link");
        let swap = || {
            symlink("v2", folder.0.join("..data_tmp")).expect("a link");
            fs::rename(folder.0.join("..data_tmp"), folder.0.join("..data")).expect("swapped");
        };
        assert!(notices(&folder.0.join("table.json"), swap).await);
    }

    #[test]
    fn ends_on_a_circle_of_links() {
        let folder = Folder::new();
        symlink("b", folder.0.join("a")).expect("a link");
        symlink("a", folder.0.join("b")).expect("a link");
        assert!(!entries_on_the_way(&folder.0.join("a/file")).is_empty());
    }
}
