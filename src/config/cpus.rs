//! The CPUs that the process may run on.

/// The CPUs of a kernel list such as `0-3,8,10-11`; `None` if it is none.
pub fn parse_cpu_list(text: &str) -> Option<Vec<usize>> {
    /// Far above any machine; the list comes from the kernel, but who knows.
    const CPU_MAX: usize = 1 << 16;
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last > CPU_MAX || cpus.last().is_some_and(|before| *before >= first) {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// The list in the line `Cpus_allowed_list:` of `/proc/self/status`.
pub(super) fn allowed(status: &str) -> Option<Vec<usize>> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .and_then(parse_cpu_list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_kernel_read() {
        let table: [(&str, Option<&[usize]>); 10] = [
            ("0", Some(&[0])),
            ("0-3", Some(&[0, 1, 2, 3])),
            ("0-1,4,6-7\n", Some(&[0, 1, 4, 6, 7])),
            ("3-2", None),
            ("1,0", None),
            ("0-1,1", None),
            ("", None),
            ("0,", None),
            ("a-b", None),
            ("0-99999999999", None),
        ];
        for (text, cpus) in table {
            assert_eq!(parse_cpu_list(text).as_deref(), cpus, "{text:?}");
        }
    }

    #[test]
    fn the_status_line_is_found_among_others() {
        let status = "Name:\tx\nCpus_allowed:\t5\nCpus_allowed_list:\t0,2\nMems_allowed_list:\t0\n";
        assert_eq!(allowed(status), Some(vec![0, 2]));
        assert_eq!(allowed("Name:\tx\n"), None);
    }
}
