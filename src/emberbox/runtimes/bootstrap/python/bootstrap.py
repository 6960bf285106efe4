"""The Python runtime as a program, for AWS_LAMBDA_EXEC_WRAPPER and for running it by hand."""

from emberbox_bootstrap import main

if __name__ == "__main__":
    main()
