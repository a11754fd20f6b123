"""The command line: `kinedepth VERB`. A short file for each verb; `main` finds it and says errors in one line."""
