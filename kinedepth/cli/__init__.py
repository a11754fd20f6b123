"""The command line: `kinedepth VERB`. A short file a verb; `main` finds it and says errors in one line."""
