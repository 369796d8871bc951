//! On which machine and commit a figure was measured. What cannot be found out reads "unknown".

use std::path::Path;
use std::process::Command;

/// The facts that a reader needs to compare figures.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) commit: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
}

impl Machine {
    /// This machine and the checked out commit.
    pub(crate) fn here(root: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            commit: commit(root),
            cpu: cpu_model(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: memory(&read("/proc/meminfo")),
        }
    }

    /// As list items of a document.
    pub(crate) fn markdown(&self) -> String {
        let Self { commit, cpu, cores, memory } = self;
        format!("- commit: `{commit}`\n- CPU: {cpu}, {cores} cores\n- memory: {memory}\n")
    }
}

fn commit(root: &Path) -> String {
    let output =
        Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(key)?.split_once(':')?.1.trim()))
}

fn cpu_model(cpuinfo: &str) -> String {
    value(cpuinfo, "model name").unwrap_or("unknown").to_owned()
}

fn memory(meminfo: &str) -> String {
    let kib =
        value(meminfo, "MemTotal").and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib / 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_the_kernel_s_tables() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast 9000\nprocessor\t: 1\n";
        assert_eq!(cpu_model(cpuinfo), "Fast 9000");
        assert_eq!(memory("MemTotal:       2097152 kB\n"), "2048 MiB");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        assert_eq!(cpu_model(""), "unknown");
        assert_eq!(memory("MemTotal: lots"), "unknown");
    }
}
