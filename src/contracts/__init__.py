"""What crosses a container's boundary: documents, names and keys, storage, and how a command speaks.

Every stage imports this package and none imports another stage; what two of them must agree on stands here
and only here. It needs pydantic, typer, tqdm and google-cloud-storage, and nothing heavier.
"""
