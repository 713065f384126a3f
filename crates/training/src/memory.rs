//! Memory as the kernel counts it.

/// The most memory this process has held; 0 where the system does not say.
pub fn peak_bytes() -> u64 {
    line("/proc/self/status", "VmHWM").unwrap_or(0)
}

/// The memory that a process may still take without pushing another's out; `None` where the system does not say.
pub fn available_bytes() -> Option<u64> {
    line("/proc/meminfo", "MemAvailable")
}

/// The bytes in a line of a file that the kernel keeps, as `VmRSS` of `/proc/self/status`; `None` where there is none.
pub fn line(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
