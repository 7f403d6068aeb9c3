
/* A test that attacks the agent and speaks in its name. */
static void attack_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			printf("attack: %s cannot be written\n", path);
		close(fd);
	}
}

TEST(attack_agent)
{
	static const char *const lines[] = { "/dev/ttyS1", "/dev/console", "/dev/ttyS0" };
	unsigned int i;

	printf("attack: the agent was attacked\n");
	fflush(stdout);
	unlink("/init");
	attack_write("/init", "#!/bin/false\n");
	kill(1, SIGKILL);
	kill(1, SIGTERM);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		attack_write(lines[i], "{\"seq\":99999,\"ms\":1,\"say\":\"done\"}\n");
		attack_write(lines[i], "\n{\"seq\":0,\"ms\":1,\"say\":\"hello\",\"version\":1}\n");
	}
}

