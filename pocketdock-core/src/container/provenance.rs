//! How a sandbox was asked for, as words of the command line.
//!
//! Of environment variables and labels only the names are told, and of its own first process
//! nothing: any of them may hold a secret.

use crate::container::options::CreateOptions;
use crate::container::specs::{Device, Port, Tmpfs, Volume};
use crate::wire::size::format_duration;

impl CreateOptions {
    /// The options that were given.
    pub(crate) fn command_line(&self) -> Vec<String> {
        let mut words = vec!["pocketdock".to_owned(), "create".to_owned()];
        for (option, value) in self.values() {
            words.extend([option.to_owned(), value]);
        }
        let flags = [
            ("--persist", self.persist),
            ("--network", self.network == Some(true)),
            ("--no-network", self.network == Some(false)),
            ("--read-only", self.read_only),
            ("--hardened", self.hardened),
            ("--no-init", self.no_init),
        ];
        let flags = flags.iter().filter(|(_, is_given)| *is_given);
        words.extend(flags.map(|(flag, _)| (*flag).to_owned()));
        words
    }

    fn values(&self) -> Vec<(&'static str, String)> {
        let cpu = Some(self.cpu_percent).filter(|percent| *percent != 0);
        let single = [
            ("--name", self.name.clone()),
            ("--image", self.image.clone()),
            ("--profile", self.profile.clone()),
            ("--project", self.project.clone()),
            ("--timeout", self.timeout.map(format_duration)),
            ("--ttl", self.ttl.map(format_duration)),
            ("--mem-limit", self.mem_limit.clone()),
            ("--cpu-percent", cpu.map(|percent| percent.to_string())),
            ("--pids-limit", self.pids_limit.map(|n| n.to_string())),
            ("--workdir", self.workdir.clone()),
            ("--user", self.user.clone()),
        ];
        let volume = |volume: &Volume| {
            let mode = if volume.read_only { "ro" } else { "rw" };
            format!("{}:{}:{mode}", volume.host.display(), volume.container)
        };
        let device = |device: &Device| {
            let host = device.host.display();
            format!("{host}:{}:{}", device.container, device.permissions)
        };
        let port = |port: &Port| format!("{}:{}:{}", port.address, port.host, port.container_key());
        let mut values: Vec<_> = single
            .into_iter()
            .filter_map(|(option, value)| Some((option, value?)))
            .collect();
        values.extend(self.volumes.iter().map(|it| ("--volume", volume(it))));
        values.extend(self.devices.iter().map(|it| ("--device", device(it))));
        values.extend(self.ports.iter().map(|it| ("--port", port(it))));
        let tmpfs = |it: &Tmpfs| format!("{}:{}", it.dir, it.options);
        values.extend(self.tmpfs.iter().map(|it| ("--tmpfs", tmpfs(it))));
        values.extend(self.env.iter().map(|(name, _)| ("--env", name.clone())));
        values.extend(
            self.labels
                .iter()
                .map(|(name, _)| ("--label", name.clone())),
        );
        values.extend(self.cap_drop.iter().map(|it| ("--cap-drop", it.clone())));
        values.extend(self.cap_add.iter().map(|it| ("--cap-add", it.clone())));
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_given_is_told_and_no_secret() {
        let options = CreateOptions::new()
            .name("box")
            .env("TOKEN", "hunter2")
            .label("team", "hunter2")
            .command(["serve", "--password", "hunter2"])
            .timeout(Duration::from_secs(90))
            .port(Port::new(8080, 80))
            .persist();
        let told = options.command_line().join(" ");
        assert_eq!(
            told,
            "pocketdock create --name box --timeout 1m30s --port 127.0.0.1:8080:80/tcp --env TOKEN \
             --label team --persist"
        );
    }
}
