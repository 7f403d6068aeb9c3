//! The arguments and the way from them to a subcommand.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    ExitCode, approve, b4_check, compare, doctor, gc, known, lab, list, log, nightly, outbox, post, reproduce, resume,
    run, show, site, start, unit, versions,
};

/// Tests Linux memory-management patch series: applies, builds, boots, compares, reports.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 clean, 1 findings, 2 infrastructure trouble (no verdict), 64 usage, 130 interrupted.";

/// Options of every subcommand.
#[derive(Debug, Args)]
pub struct Global {
    /// Folder that holds series/, kconfigs/ and lab/ [default: the nearest one above, else the built-in copies]
    #[arg(long, global = true, value_name = "DIR", env = "ORCHESTRATOR_HOME")]
    pub home: Option<Utf8PathBuf>,
    /// Folder of the runs [default: results/ in the home folder, else ./results]
    #[arg(long, global = true, value_name = "DIR", env = "ORCHESTRATOR_RESULTS")]
    pub results: Option<Utf8PathBuf>,
    /// Folder of trees, build folders and results by key [default: ~/.cache/orchestrator]
    #[arg(long, global = true, value_name = "DIR", env = "ORCHESTRATOR_CACHE")]
    pub cache: Option<Utf8PathBuf>,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Test something
    #[command(subcommand)]
    Run(RunCommand),
    /// Go on with a run that was interrupted
    Resume(resume::ResumeArgs),
    /// Do again what a finding of a run is about, from nothing but its patches
    Reproduce(reproduce::ReproduceArgs),
    /// List the runs
    List(list::ListArgs),
    /// Show the report of a run
    Show(show::ShowArgs),
    /// Say what changed from one run to another: findings fixed, open, new; patches
    Compare(compare::CompareArgs),
    /// Show the log of a unit of a run
    Log(log::LogArgs),
    /// List the versions of a posted series with what replies gave to them
    Versions(versions::VersionsArgs),
    /// Show the mail about a run and who would get it; send it with --send
    Post(post::PostArgs),
    /// List what is to be sent and what was, and decide about it
    Outbox(outbox::OutboxArgs),
    /// Test the series whose mail is on standard input and print the results as b4 reads them
    B4Check(b4_check::B4CheckArgs),
    /// Let the patches of a run onto real machines, for which they wait when their authors are not known
    Approve(approve::ApproveArgs),
    /// Remove what old runs left in the cache
    Gc(gc::GcArgs),
    /// Test what changed since the last night: follows the series and trees of series/nightly.yaml
    Nightly(nightly::NightlyArgs),
    /// List the known issues of results/known-issues.yaml, and which of them are out of date
    Known(known::KnownArgs),
    /// Write the history of all runs as pages into results/site/
    Site(site::SiteArgs),
    /// Look at and use the machines of the lab
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// Say what this host can do and how to mend what is missing
    Doctor(doctor::DoctorArgs),
    /// Do one unit of a run: what an engine starts on its nodes
    #[command(hide = true)]
    Unit(unit::UnitArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum RunCommand {
    /// Test a patch series: a name from series/, an mbox, a folder, BASE..TIP of a clone, or a posted one by Message-ID
    Series(run::RunArgs),
}

/// The whole program: reads the arguments, runs a subcommand, gives the exit code.
pub fn main() -> std::process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Clean };
            let _ = error.print();
            return code.number().into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            start::write_error(&format!("the async runtime cannot be started: {error}"));
            return ExitCode::Infra.number().into();
        }
    };
    let code = runtime.block_on(dispatch(cli));
    // Blocking threads wait only for children that were told to stop already.
    runtime.shutdown_timeout(std::time::Duration::from_secs(10));
    match code {
        Ok(code) => code.number().into(),
        Err(failure) => {
            start::write_error(&failure.message);
            failure.code.number().into()
        }
    }
}

/// A subcommand that could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// What happened, to what, and what to do next.
    pub message: String,
    /// The exit code.
    pub code: ExitCode,
}

impl Failure {
    /// The user's input cannot be used.
    pub fn usage(error: impl std::fmt::Display) -> Failure {
        Failure { message: error.to_string(), code: ExitCode::Usage }
    }

    /// The host would not.
    pub fn infra(error: impl std::fmt::Display) -> Failure {
        Failure { message: error.to_string(), code: ExitCode::Infra }
    }
}

async fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Run(RunCommand::Series(args)) => run::run(global, args).await,
        Command::Resume(args) => resume::resume(global, args).await,
        Command::Reproduce(args) => reproduce::reproduce(global, args).await,
        Command::List(args) => list::list(global, &args),
        Command::Show(args) => show::show(global, &args),
        Command::Compare(args) => compare::compare(global, &args).await,
        Command::Log(args) => log::log(global, &args),
        Command::Versions(args) => versions::versions(global, &args).await,
        Command::Post(args) => post::post(global, &args).await,
        Command::Outbox(args) => outbox::outbox(global, &args).await,
        Command::B4Check(args) => b4_check::b4_check(global, args).await,
        Command::Approve(args) => approve::approve(global, &args),
        Command::Gc(args) => gc::gc(global, &args).await,
        Command::Nightly(args) => nightly::nightly(global, &args).await,
        Command::Known(args) => known::known(global, &args),
        Command::Site(args) => site::site(global, &args),
        Command::Lab(command) => lab::lab(global, command).await,
        Command::Doctor(args) => doctor::doctor(global, &args).await,
        Command::Unit(args) => unit::unit(global, args).await,
        Command::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "orchestrator", &mut std::io::stdout());
            Ok(ExitCode::Clean)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
