"""Read what agents spend from the files of their programs: found, followed, parsed; never their text."""
