//! `orchestrator man`: the manual pages, one per subcommand, made from the command line itself.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Command};
use clap_mangen::Man;

use super::args::{Failure, Global};
use super::{ExitCode, start};

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write them into; without it the page of the program itself is printed
    folder: Option<Utf8PathBuf>,
}

/// Writes the pages.
pub fn man(_global: &Global, args: &ManArgs, command: Command) -> Result<ExitCode, Failure> {
    let pages = pages(command).map_err(Failure::infra)?;
    let Some(folder) = &args.folder else {
        start::write_out(&pages[0].1);
        return Ok(ExitCode::Clean);
    };
    write(folder, &pages).map_err(Failure::infra)?;
    say!("{} pages in {folder}; read one with: man -l {}", pages.len(), folder.join(&pages[0].0));
    Ok(ExitCode::Clean)
}

fn write(folder: &Utf8Path, pages: &[(String, String)]) -> std::io::Result<()> {
    fs_err::create_dir_all(folder)?;
    for (name, text) in pages {
        crate::run::write_atomically(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

/// File name and text of each page; that of the program comes first. Hidden subcommands have none.
fn pages(command: Command) -> std::io::Result<Vec<(String, String)>> {
    let version = env!("CARGO_PKG_VERSION");
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut open = vec![("orchestrator".to_owned(), command)];
    while let Some((name, command)) = open.pop() {
        let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned();
        let mut below: Vec<_> = visible.map(|sub| (format!("{name}-{}", sub.get_name()), sub)).collect();
        below.reverse();
        open.extend(below);
        // `name` goes into the title and the list of subcommands, the display name into the synopsis.
        let spoken = name.replace('-', " ");
        let spoken = command.get_bin_name().unwrap_or(&spoken).to_owned();
        let command = command.version(version).bin_name(spoken);
        let manual = Man::new(command).title(name.to_uppercase()).date("").source(format!("orchestrator {version}"));
        let mut bytes = Vec::new();
        manual.manual("Orchestrator").render(&mut bytes)?;
        pages.push((format!("{name}.1"), tidy(&String::from_utf8_lossy(&bytes))));
    }
    Ok(pages)
}

/// What `mandoc -T lint` would complain of: no place for the date, which these pages do not have, blanks at ends of lines,
/// and two kinds of empty space in a row.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for line in text.replace(".br\n\n.br\n", ".sp\n").lines() {
        match line.strip_prefix(".TH ").and_then(|rest| rest.split_once(" 1  ")) {
            Some((title, rest)) => tidy.push_str(&format!(".TH {title} 1 \"\" {rest}")),
            None => tidy.push_str(line.trim_end()),
        }
        tidy.push('\n');
    }
    tidy
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_page_is_tidied() {
        let text = ".TH A 1  \"a 0.1\" B\na b \n.br\n\n.br\nc\n";
        assert_eq!(tidy(text), ".TH A 1 \"\" \"a 0.1\" B\na b\n.sp\nc\n");
    }

    #[test]
    fn every_visible_subcommand_has_a_page() {
        let pages = pages(super::super::Cli::command()).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "orchestrator.1");
        for wanted in
            ["orchestrator-run-series.1", "orchestrator-doctor.1", "orchestrator-gc.1", "orchestrator-lab-power.1"]
        {
            assert!(names.contains(&wanted), "{wanted} is not among {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("unit") || name.contains("help")), "{names:?}");
        for (name, text) in &pages {
            assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{name}");
        }
        let (_, gc) = pages.iter().find(|(name, _)| name == "orchestrator-gc.1").unwrap();
        assert!(gc.contains("keep\\-disk"), "{gc}");
    }
}
