//! A connection to the coordinator. It knows a client by the connection that greeted it; when that ends, so do the
//! client's locks, as far as this program is concerned.

use std::collections::HashMap;
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::messages::{
    AcquirePlace, CreateTurn, Filter, FromCoordinator, Nothing, OneTurn, Place, Places, ReleasePlace, Say, Startup,
    Subscribe, Sync, ToCoordinator, Token, Turn, Turns,
};

/// Longest time for one call; the coordinator answers in milliseconds.
const CALL: Duration = Duration::from_secs(15);

/// Key of the filter that no place has: a turn with it is never served and lives while it is polled. It is the sign of
/// life of a holder, because an acquired place outlives its holder and a served turn never expires.
pub(super) const LEASE: &str = "orchestrator_lease";

/// Name of the only group of filters that labgrid knows.
const GROUP: &str = "main";

/// Calls, which may be made from anywhere.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    channel: Channel,
}

/// What comes by itself.
pub(super) struct News {
    stream: Streaming<FromCoordinator>,
    /// The stream ends with it.
    _say: mpsc::Sender<ToCoordinator>,
}

/// Connects and greets under `name`.
///
/// # Errors
/// When nobody answers.
pub(super) async fn open(coordinator: &str, name: &str) -> Result<(Calls, News), Status> {
    tokio::time::timeout(CALL, greet(coordinator, name))
        .await
        .map_err(|_| Status::deadline_exceeded(format!("no answer within {} s", CALL.as_secs())))?
}

async fn greet(coordinator: &str, name: &str) -> Result<(Calls, News), Status> {
    let endpoint = Endpoint::from_shared(format!("http://{coordinator}"))
        .map_err(|error| Status::invalid_argument(format!("`{coordinator}` is no HOST:PORT: {error}")))?;
    let channel = endpoint.connect().await.map_err(|error| Status::unavailable(causes(&error)))?;
    let (say, mut said) = mpsc::channel::<ToCoordinator>(8);
    let greeting = Startup { version: env!("CARGO_PKG_VERSION").to_owned(), name: name.to_owned() };
    for word in [Say::Startup(greeting), Say::Subscribe(Subscribe { all_places: true }), Say::Sync(Sync { id: 1 })] {
        say.try_send(ToCoordinator { say: Some(word) }).map_err(|error| Status::internal(error.to_string()))?;
    }
    let words = futures::stream::poll_fn(move |context| said.poll_recv(context));
    let mut grpc = ready(&channel).await?;
    let path = PathAndQuery::from_static("/labgrid.Coordinator/ClientStream");
    let stream = grpc.streaming(Request::new(words), path, ProstCodec::default()).await?.into_inner();
    let mut news = News { stream, _say: say };
    // Its echo says that the greeting was heard; without it the first call might come too early.
    while news.next().await?.sync.is_none() {}
    Ok((Calls { channel }, news))
}

/// An error with what is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

async fn ready(channel: &Channel) -> Result<Grpc<Channel>, Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(causes(&error)))?;
    Ok(grpc)
}

impl News {
    /// What is said next.
    ///
    /// # Errors
    /// When the stream ended.
    pub(super) async fn next(&mut self) -> Result<FromCoordinator, Status> {
        self.stream.message().await?.ok_or_else(|| Status::unavailable("the coordinator ended the connection"))
    }
}

impl Calls {
    async fn call<Q, A>(&self, path: &'static str, question: Q) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let call = async {
            let mut grpc = ready(&self.channel).await?;
            let codec = ProstCodec::<Q, A>::default();
            let answer = grpc.unary(Request::new(question), PathAndQuery::from_static(path), codec).await?;
            Ok(answer.into_inner())
        };
        tokio::time::timeout(CALL, call).await.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded(format!("{path}: no answer within {} s", CALL.as_secs())))
        })
    }

    /// All places.
    pub(super) async fn places(&self) -> Result<Vec<Place>, Status> {
        let places: Places = self.call("/labgrid.Coordinator/GetPlaces", Nothing {}).await?;
        Ok(places.places)
    }

    /// All turns.
    pub(super) async fn turns(&self) -> Result<Vec<Turn>, Status> {
        let turns: Turns = self.call("/labgrid.Coordinator/GetReservations", Nothing {}).await?;
        Ok(turns.turns)
    }

    /// Takes a turn for a place with this tag.
    pub(super) async fn create(&self, key: &str, value: &str) -> Result<Turn, Status> {
        let filter = Filter { filter: HashMap::from([(key.to_owned(), value.to_owned())]) };
        let question = CreateTurn { filters: HashMap::from([(GROUP.to_owned(), filter)]), prio: 0.0 };
        let turn: OneTurn = self.call("/labgrid.Coordinator/CreateReservation", question).await?;
        turn.turn.ok_or_else(|| Status::internal("an answer without a reservation"))
    }

    /// Keeps a turn from expiring for another minute.
    pub(super) async fn poll(&self, token: &str) -> Result<Turn, Status> {
        let turn: OneTurn =
            self.call("/labgrid.Coordinator/PollReservation", Token { token: token.to_owned() }).await?;
        turn.turn.ok_or_else(|| Status::internal("an answer without a reservation"))
    }

    /// Gives a turn up.
    pub(super) async fn cancel(&self, token: &str) -> Result<(), Status> {
        let question = Token { token: token.to_owned() };
        let Nothing {} = self.call("/labgrid.Coordinator/CancelReservation", question).await?;
        Ok(())
    }

    /// Takes a place.
    pub(super) async fn acquire(&self, place: &str) -> Result<(), Status> {
        let question = AcquirePlace { place: place.to_owned() };
        let Nothing {} = self.call("/labgrid.Coordinator/AcquirePlace", question).await?;
        Ok(())
    }

    /// Gives a place back when `holder` holds it; otherwise nothing happens.
    pub(super) async fn release(&self, place: &str, holder: &str) -> Result<(), Status> {
        let question = ReleasePlace { place: place.to_owned(), holder: Some(holder.to_owned()) };
        let Nothing {} = self.call("/labgrid.Coordinator/ReleasePlace", question).await?;
        Ok(())
    }
}
