//! Reads a file that must be one: regular, and of bounded size. A pipe would never end, a device neither, and a mount that
//! hangs must stop neither the traffic nor the stop.

use std::fs::{FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

const READ_TIMEOUT: Duration = Duration::from_secs(10);

pub struct FileContent {
    pub bytes: Vec<u8>,
    pub modified_at: SystemTime,
}

// #region read
pub async fn read_regular_file(path: &Path, max_bytes: u64) -> io::Result<FileContent> {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&path, max_bytes));
    match timeout(READ_TIMEOUT, reading).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::Error::other(format!("it could not be read within {} s", READ_TIMEOUT.as_secs()))),
    }
}

fn read(path: &Path, max_bytes: u64) -> io::Result<FileContent> {
    // Without waiting for a writer, should it be a pipe.
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map_err(|error| {
            // What Linux says to who opens a socket, or a device that is not there.
            let is_none = error.raw_os_error() == Some(libc::ENXIO);
            if is_none { io::Error::other("a socket or a device, not a regular file") } else { error }
        })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other(format!("{}, not a regular file", kind_of(metadata.file_type()))));
    }
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::other(format!("larger than {max_bytes} bytes")));
    }
    Ok(FileContent { bytes, modified_at: metadata.modified()? })
}
// #endregion read

fn kind_of(file: FileType) -> &'static str {
    match file {
        _ if file.is_dir() => "a folder",
        _ if file.is_fifo() => "a named pipe",
        _ if file.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_nothing_but_a_regular_file_of_bounded_size() {
        let words = |result: io::Result<FileContent>| result.map(|_| ()).map_err(|error| error.to_string());
        let folder = std::env::temp_dir().join(format!("regular-file-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("a folder");
        let file = folder.join("file");
        std::fs::write(&file, "12345").expect("written");
        assert_eq!(words(read_regular_file(&file, 5).await), Ok(()));
        assert_eq!(words(read_regular_file(&file, 4).await), Err("larger than 4 bytes".into()));
        let no_file = |what| Err(format!("{what}, not a regular file"));
        assert_eq!(words(read_regular_file(Path::new("/dev/zero"), 4).await), no_file("a device"));
        assert_eq!(words(read_regular_file(&folder, 4).await), no_file("a folder"));
        let pipe = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        assert_eq!(words(read_regular_file(&pipe, 4).await), no_file("a named pipe"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
