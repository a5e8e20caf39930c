//! What the system knows about this process. On Linux all of it; elsewhere what a portable call tells.

use std::time::{SystemTime, UNIX_EPOCH};

/// The process at one moment; what is not known is not told.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) open_descriptors: Option<u64>,
    pub(crate) most_descriptors: Option<u64>,
    pub(crate) threads: Option<u64>,
}

impl Process {
    /// Looks. It reads a few small files, so it belongs where blocking is allowed.
    pub(crate) fn look() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(),
            resident_bytes: number_after(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024),
            // The listing itself holds one.
            open_descriptors: std::fs::read_dir("/proc/self/fd").ok().map(|all| (all.count() as u64).saturating_sub(1)),
            most_descriptors: number_after(&limits, "Max open files"),
            threads: number_after(&status, "Threads:"),
        }
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The first number behind `key` at the beginning of a line.
fn number_after(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A moment as Unix time in seconds.
pub(crate) fn unix_seconds(moment: SystemTime) -> f64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_key() {
        let status = "Name:\tx\nVmRSS:\t   1234 kB\nThreads:\t7\n";
        assert_eq!((number_after(status, "VmRSS:"), number_after(status, "Threads:")), (Some(1234), Some(7)));
        assert_eq!(
            number_after("Max open files            1024         4096    files\n", "Max open files"),
            Some(1024)
        );
        assert_eq!(number_after("Max open files            unlimited\n", "Max open files"), None);
        assert_eq!(number_after(status, "VmSwap:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found() {
        let before = Process::look();
        assert!(before.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{before:?}");
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert!(before.open_descriptors.is_some_and(|open| open > 2) && before.threads.is_some(), "{before:?}");
        drop(file);
        assert!(Process::look().cpu_seconds >= before.cpu_seconds);
    }
}
