//! Sandboxes by name, with their instances: create, open, resume, stop, destroy.
//!
//! A sandbox that is kept or persistent gets its instance before its container, so that a client
//! that is killed in between leaves something to find it by:
//!
//! ```text
//! instance.json without an ID, with us as its maker
//! the container, created and started, with the directory's path in a label
//! instance.json with the ID, without a maker
//! ```
//!
//! The engine decides who gets a name. Until it has, a description that is there is left alone.

use std::path::Path;
use std::sync::Arc;

use crate::container::handle::Container;
use crate::container::labels;
use crate::container::lifecycle::{ContainerListItem, ListFilter};
use crate::container::options::CreateOptions;
use crate::container::record::Recorder;
use crate::engine::{Engine, containers};
use crate::error::{Error, Result};
use crate::host::ProcessIdentity;
use crate::project::config::Config;
use crate::project::description::Description;
use crate::project::identity;
use crate::project::instance::Instance;
use crate::project::keeper::{Keeper, Lost};
use crate::project::place::Place;
use crate::project::private;

impl Engine {
    /// Makes a sandbox and starts it.
    ///
    /// It is removed when the last clone of the handle is dropped, unless the options keep it. One
    /// that is kept or persistent gets an [`Instance`]: a directory in this directory's project or,
    /// outside one, in the user's state directory; one of a project gets the project's label
    /// whether it is kept or not.
    ///
    /// Engine endpoints: `POST /containers/create`, `POST /containers/{id}/start`.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use pocketdock_core::CreateOptions;
    ///
    /// let sandbox = engine.create(&CreateOptions::new().name("box").keep())?;
    /// drop(sandbox); // It stays.
    /// assert!(engine.open("box")?.is_running()?);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`CreateOptions::check`]; [`Error::ImageNotFound`], [`Error::NameInUse`],
    /// [`Error::AnotherEngine`] if the instance of that name is of a sandbox there;
    /// [`Error::PortInUse`], [`Error::CommandNotFound`] if the image lacks the first process
    /// and it should run without an init (which is found, and ends when it cannot go on);
    /// [`Error::InvalidArgument`] for a user that the image or a capability that the engine lacks;
    /// [`Error::Config`] if the settings cannot be used; [`Error::Io`] if the instance cannot be
    /// made; [`Error::Engine`] for what else the engine
    /// refuses. Nothing is left behind.
    pub fn create(&self, options: &CreateOptions) -> Result<Container> {
        options.check()?;
        let config = Config::load(self.environment())?;
        let mut options = options.clone();
        if let (None, Some(project)) = (options.project_given(), config.project()) {
            options = options.project(&project.name);
        }
        if !options.outlives_maker() {
            return self.make(&options);
        }
        options = options.idle_timeout_by_default(config.idle_timeout());
        match Place::here(self.environment()) {
            Ok(place) => self.create_kept(&options, &place),
            // A home that nobody has told has no room for logs.
            Err(Error::InvalidArgument { .. }) => self.make(&options),
            Err(error) => Err(error),
        }
    }

    fn create_kept(&self, options: &CreateOptions, place: &Place) -> Result<Container> {
        let options = options.clone().named()?;
        let name = options.name_given().unwrap_or_default();
        let instance = Instance::within(place, name)?;
        let draft = Draft::begin(self, &instance, &options)?;
        let options = options.data_path(instance.dir());
        match self.make(&options) {
            Ok(container) => draft.complete(container),
            Err(error) => {
                draft.discard(self);
                Err(error)
            }
        }
    }

    /// A handle to a sandbox by its name or ID, which starts nothing and removes nothing.
    ///
    /// Engine endpoint: `GET /containers/{id}/json`.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// let sandbox = engine.open("box")?;
    /// println!("{} was made from {}", sandbox.name(), sandbox.image());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for what can be no name; [`Error::ContainerNotFound`], or
    /// [`Error::AnotherEngine`] if there is an instance of that name and it is of a sandbox there;
    /// [`Error::NotManaged`] for a container of somebody else's.
    pub fn open(&self, name: &str) -> Result<Container> {
        let container = self.find(name).map_err(|error| self.explain(error))?;
        match (Instance::owned_by(&container), container.data_path()) {
            (Some(instance), _) => drop(keep(&container, instance)),
            (None, Some(path)) => container.record_with(Arc::new(Lost::new(path))),
            (None, None) => {}
        }
        Ok(container)
    }

    /// Starts a stopped sandbox, or lets a paused one run on, and gives a handle to it.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// let sandbox = engine.resume("box")?;
    /// assert!(sandbox.is_running()?);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Engine::open`] and [`Container::resume`].
    pub fn resume(&self, name: &str) -> Result<Container> {
        let container = self.open(name)?;
        container.resume()?;
        Ok(container)
    }

    /// Stops a sandbox and keeps it.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// engine.stop("box")?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Engine::open`] and [`Container::stop`].
    pub fn stop(&self, name: &str) -> Result<()> {
        self.open(name)?.stop()
    }

    /// Tells where a sandbox is that this engine does not have, if its instance says that.
    fn explain(&self, error: Error) -> Error {
        let Error::ContainerNotFound { container: name } = &error else {
            return error;
        };
        let known = Instance::found(self.environment(), name).and_then(|it| it.description());
        match known {
            Ok(Some(known))
                if known.kept && matches!(identity::is_known_of(&known, self), Ok(false)) =>
            {
                identity::another_engine(known)
            }
            // What cannot be read or asked for makes the first error no less true.
            _ => error,
        }
    }

    /// Removes a sandbox, whatever its state, with its instance.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// engine.destroy("box")?;
    /// assert!(engine.open("box").is_err());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Engine::open`] and [`Container::shutdown`].
    pub fn destroy(&self, name: &str) -> Result<()> {
        self.open(name)?.shutdown(true)
    }
}

fn keep(container: &Container, instance: Instance) -> Arc<Keeper> {
    let keeper = Arc::new(Keeper::new(instance, container.engine().environment()));
    container.record_with(Arc::clone(&keeper) as Arc<dyn Recorder>);
    keeper
}

/// The instance of a sandbox that is being made.
struct Draft<'a> {
    instance: &'a Instance,
    description: Description,
    /// Whether the description that lies there is this one.
    is_ours: bool,
}

impl<'a> Draft<'a> {
    fn begin(engine: &Engine, instance: &'a Instance, options: &CreateOptions) -> Result<Self> {
        let plan = options.plan()?;
        let description = Description {
            name: instance.name().to_owned(),
            image: plan.image,
            profile: plan.profile.map(str::to_owned),
            project: options.project_given().map(str::to_owned),
            created_at: plan.created_at,
            socket: engine.socket_path().to_owned(),
            command_line: options.command_line(),
            kept: !options.removes_itself(), // One that does leaves its logs.
            maker: ProcessIdentity::own(),
            ..Description::default()
        };
        if let Some(known) = instance.description()? {
            identity::refuse_another(engine, known)?;
        }
        let is_ours = description.create(instance.dir())?;
        prepare(instance)?;
        Ok(Draft {
            instance,
            description,
            is_ours,
        })
    }

    /// The container is there, so the name is ours, and with it the directory.
    fn complete(self, container: Container) -> Result<Container> {
        let created_at = container.created_at().unwrap_or_default().to_owned();
        let engine = identity::of_maker(container.engine(), container.container_id());
        let description = Description {
            engine,
            id: container.container_id().to_owned(),
            created_at,
            maker: None,
            ..self.description
        };
        let write = || {
            prepare(self.instance)?;
            description.write(self.instance.dir())
        };
        // A sweep may just have taken what an earlier sandbox of this name had left.
        if let Err(error) = write().or_else(|_| write()) {
            container.shutdown(true)?;
            return Err(error);
        }
        let keeper = keep(&container, self.instance.clone());
        if !description.kept {
            keeper.sweep(); // What others like it have left.
        }
        Ok(container)
    }

    /// There is no container. The directory goes unless it is somebody else's by now.
    fn discard(self, engine: &Engine) {
        let name = self.instance.name();
        let taken = containers::inspect(engine.client(), name).is_ok_and(|found| {
            let path = found.str_at(&["Config", "Labels", labels::DATA_PATH]);
            path.is_some_and(|path| Path::new(path) == self.instance.dir())
        });
        let own = self.instance.description();
        let unchanged = own.is_ok_and(|found| found.as_ref() == Some(&self.description));
        if self.is_ours && unchanged && !taken {
            // What cannot be removed has a maker that is gone, by which it is found later.
            let _removed = self.instance.remove();
        }
    }
}

/// Makes the directories of an instance.
fn prepare(instance: &Instance) -> Result<()> {
    private::create_dir(&instance.logs_dir())?;
    private::create_dir(&instance.dir().join("data"))
}

/// As [`Engine::create`], on the engine that is detected.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, create_new_container};
///
/// let sandbox = create_new_container(&CreateOptions::new().mem_limit("128m"))?;
/// assert!(sandbox.run("true")?.ok());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Engine::detect`] and [`Engine::create`].
pub fn create_new_container(options: &CreateOptions) -> Result<Container> {
    options.check()?; // What cannot be meant is said even where there is no engine.
    Engine::detect()?.create(options)
}

/// As [`Engine::resume`], on the engine that is detected.
///
/// ```no_run
/// use pocketdock_core::{resume_container, stop_container};
///
/// stop_container("box")?;
/// let sandbox = resume_container("box")?; // Its files are as they were.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Engine::detect`] and [`Engine::resume`].
pub fn resume_container(name: &str) -> Result<Container> {
    Engine::detect()?.resume(name)
}

/// As [`Engine::list`], on the engine that is detected.
///
/// ```no_run
/// use pocketdock_core::{ListFilter, list_containers};
///
/// for item in list_containers(&ListFilter::new().running())? {
///     println!("{} {}", item.name, item.image);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Engine::detect`] and [`Engine::list`].
pub fn list_containers(filter: &ListFilter) -> Result<Vec<ContainerListItem>> {
    Engine::detect()?.list(filter)
}

/// As [`Engine::stop`], on the engine that is detected.
///
/// ```no_run
/// pocketdock_core::stop_container("box")?; // Its files stay.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Engine::detect`] and [`Engine::stop`].
pub fn stop_container(name: &str) -> Result<()> {
    Engine::detect()?.stop(name)
}

/// As [`Engine::destroy`], on the engine that is detected.
///
/// ```no_run
/// pocketdock_core::destroy_container("box")?;
/// assert!(pocketdock_core::resume_container("box").is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Engine::detect`] and [`Engine::destroy`].
pub fn destroy_container(name: &str) -> Result<()> {
    Engine::detect()?.destroy(name)
}
